// SPDX-License-Identifier: Apache-2.0

// Runs each target with the inputs in seeds/, and with changed ones. Inputs
// that were found by a fuzzer are kept there.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/fuzz/targets.h"

namespace sheaf {
namespace {

std::vector<std::string> FilesOf(absl::string_view target) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(
           absl::StrCat(SHEAF_FUZZ_SEEDS_DIR "/", target))) {
    files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Changes a few bytes, or repeats or removes a part.
std::string Mutated(std::string text, std::mt19937& random) {
  static constexpr absl::string_view kPieces[] = {
      "\r\n", "\n",      "\r",      "\r\n\r\n", "\"", "{",
      "}",    "[",       "]",       ":",        ",",  "%",
      "&",    "=",       "--",      "--b",      "0",  "5",
      "ffff", "chunked", "\\ud800", "\\",       " ",  "Content-Length"};
  const auto below = [&random](size_t n) { return n == 0 ? 0 : random() % n; };
  for (size_t i = 0; i <= below(4); ++i) {
    const size_t at = below(text.size() + 1);
    switch (below(4)) {
      case 0:
        text.insert(at, std::string(kPieces[below(std::size(kPieces))]));
        break;
      case 1:
        text.erase(at, below(8));
        break;
      case 2:
        text.insert(at, text.substr(below(text.size() + 1), below(40)));
        break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(random());
    }
  }
  return text;
}

class SeedsTest : public testing::TestWithParam<FuzzTarget> {};

TEST_P(SeedsTest, AreReadOrRefused) {
  const std::vector<std::string> files = FilesOf(GetParam().name);
  EXPECT_FALSE(files.empty());
  for (const std::string& file : files) {
    SCOPED_TRACE(file);
    GetParam().check(Read(file));
  }
}

TEST_P(SeedsTest, AreReadOrRefusedWhenTheyAreChanged) {
  std::mt19937 random(1);
  for (const std::string& file : FilesOf(GetParam().name)) {
    const std::string text = Read(file);
    for (int32_t i = 0; i < GetParam().num_changes; ++i) {
      GetParam().check(Mutated(text, random));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, SeedsTest, testing::ValuesIn(FuzzTargets()),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

}  // namespace
}  // namespace sheaf
