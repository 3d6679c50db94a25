// SPDX-License-Identifier: Apache-2.0

#include "engine/model/shortlist.h"

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"
#include "tests/support/shortlist_files.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr int64_t kFingerprint = 0x123456789abcdef0;

// A file for sources of 3 tokens and outputs of 10.
struct Contents {
  std::vector<int64_t> format = {1, 3, 10, kFingerprint};
  ShortlistTables tables = {
      .common = {1, 4, 9}, .offsets = {0, 2, 2, 5}, .targets = {3, 4, 0, 2, 8}};
};

// The message with which the file is refused, without its path; "" if it is
// read.
std::string Refusal(const std::string& bytes) {
  TempDir dir;
  const std::string path = dir.Write("s", bytes);
  const absl::StatusOr<Shortlist> shortlist = Shortlist::Read(path);
  if (shortlist.ok()) return "";
  EXPECT_EQ(shortlist.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(shortlist.status().message()), StartsWith(path));
  return std::string(shortlist.status().message().substr(path.size()));
}

TEST(ShortlistTest, AFileIsReadAsItIsWritten) {
  TempDir dir;
  const Contents contents;
  const absl::StatusOr<Shortlist> shortlist = Shortlist::Read(
      dir.Write("s", ShortlistBytes(contents.format, contents.tables)));
  ASSERT_TRUE(shortlist.ok()) << shortlist.status();
  EXPECT_EQ(shortlist->vocabulary().source_size, 3);
  EXPECT_EQ(shortlist->vocabulary().size, 10);
  EXPECT_EQ(shortlist->vocabulary().fingerprint, uint64_t{kFingerprint});
  EXPECT_THAT(shortlist->common(), ElementsAre(1, 4, 9));
  EXPECT_THAT(shortlist->TargetsOf(0), ElementsAre(3, 4));
  EXPECT_THAT(shortlist->TargetsOf(1), IsEmpty());
  EXPECT_THAT(shortlist->TargetsOf(2), ElementsAre(0, 2, 8));
}

TEST(ShortlistTest, EveryBrokenRuleIsNamed) {
  struct Case {
    std::function<void(Contents&)> change;
    const char* message;
  };
  const Case kCases[] = {
      {[](Contents& c) { c.format[0] = 2; },
       "tensor \"format\": version is 2; allowed are 1..1"},
      {[](Contents& c) { c.format[1] = 0; },
       "the source's vocabulary size is 0; allowed are 1..16777216"},
      {[](Contents& c) { c.format[2] = (1 << 24) + 1; },
       "the vocabulary size is 16777217; allowed are 1..16777216"},
      {[](Contents& c) { c.format[2] = -1; }, "the vocabulary size is -1"},
      {[](Contents& c) { c.format.pop_back(); },
       "tensor \"format\": is I64 [3]; allowed is I64 [4..4]"},
      {[](Contents& c) { c.format[2] = 9; },
       "tensor \"common\": [2] is 9; allowed there are 5..8"},
      {[](Contents& c) { c.format[1] = 4; },
       "tensor \"offsets\": is I32 [4]; allowed is I32 [5..5]"},
      {[](Contents& c) { c.tables.common.clear(); },
       "tensor \"common\": is I32 [0]; allowed is I32 [1..10]"},
      {[](Contents& c) {
         c.tables.common = {1, 1};
       },
       "tensor \"common\": [1] is 1; allowed there are 2..9, because ids "
       "ascend"},
      {[](Contents& c) { c.tables.common[0] = -1; },
       "tensor \"common\": [0] is -1; allowed there are 0..9"},
      {[](Contents& c) { c.tables.offsets[0] = 1; },
       "tensor \"offsets\": [0] is 1; allowed there are 0..0"},
      {[](Contents& c) { c.tables.offsets[2] = 1; },
       "tensor \"offsets\": [2] is 1; allowed there are 2..5"},
      {[](Contents& c) { c.tables.offsets[1] = 6; },
       "tensor \"offsets\": [1] is 6; allowed there are 0..5"},
      {[](Contents& c) { c.tables.offsets[1] = -2147483648; },
       "tensor \"offsets\": [1] is -2147483648; allowed there are 0..5"},
      {[](Contents& c) { c.tables.offsets[3] = 4; },
       "tensor \"offsets\": [3] is 4; allowed there are 5..5"},
      {[](Contents& c) { c.tables.targets[1] = 10; },
       "tensor \"targets\": [1] is 10; allowed there are 4..9"},
      {[](Contents& c) { c.tables.targets[3] = 0; },
       "tensor \"targets\": [3] is 0; allowed there are 1..9"},
      {[](Contents& c) { c.tables.targets[2] = -3; },
       "tensor \"targets\": [2] is -3; allowed there are 0..9"},
  };
  for (const Case& each : kCases) {
    Contents contents;
    each.change(contents);
    EXPECT_THAT(Refusal(ShortlistBytes(contents.format, contents.tables)),
                HasSubstr(each.message));
  }
}

TEST(ShortlistTest, TensorsThatAreMissingOrUnknownAreNamed) {
  EXPECT_THAT(Refusal(SafetensorsBytes("{}", "")),
              HasSubstr("has no tensor \"format\""));
  EXPECT_THAT(
      Refusal(SafetensorsBytes(
          R"({"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
          std::string(4, '\0'))),
      HasSubstr("tensor \"weight\" is not known"));
  EXPECT_THAT(
      Refusal(SafetensorsBytes(
          R"({"format":{"dtype":"I32","shape":[4],"data_offsets":[0,16]}})",
          std::string(16, '\0'))),
      HasSubstr("tensor \"format\": is I32 [4]; allowed is I64 [4..4]"));
}

TEST(ShortlistTest, AnotherVocabularyIsRefused) {
  const Contents contents;
  const absl::StatusOr<Shortlist> shortlist =
      Shortlist::Make("f", {3, 10, kFingerprint}, contents.tables);
  ASSERT_TRUE(shortlist.ok());
  const std::vector<int32_t> eos = {1};
  EXPECT_TRUE(shortlist->CheckFits({3, 10, kFingerprint}, eos).ok());
  EXPECT_THAT(
      shortlist->CheckFits({4, 10, kFingerprint}, eos).message(),
      HasSubstr("f: tensor \"format\": the source's vocabulary size is 3; the "
                "model's is 4"));
  EXPECT_THAT(shortlist->CheckFits({3, 11, kFingerprint}, eos).message(),
              HasSubstr("the vocabulary size is 10; the model's is 11"));
  EXPECT_THAT(shortlist->CheckFits({3, 10, 255}, eos).message(),
              HasSubstr("the fingerprint of the tokenizer is 123456789abcdef0; "
                        "the model's is 00000000000000ff"));
  EXPECT_THAT(
      shortlist->CheckFits({3, 10, kFingerprint}, {{1, 2}}).message(),
      HasSubstr("tensor \"common\": lacks 2, an end token of the model"));
}

// Whatever bytes change, a file is refused or read with valid tables.
TEST(ShortlistTest, NoChangeOfBytesBreaksTheTables) {
  TempDir dir;
  std::mt19937 random(20261128);
  const Contents contents;
  const std::string good = ShortlistBytes(contents.format, contents.tables);
  int num_read = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string bytes = good;
    for (uint32_t n = random() % 3 + 1; n > 0; --n) {
      bytes[random() % bytes.size()] =
          static_cast<char>(random() % 2 == 0 ? random() : random() % 11);
    }
    const auto shortlist = Shortlist::Read(dir.Write("s", bytes));
    if (!shortlist.ok()) continue;
    ++num_read;
    const int32_t size = shortlist->vocabulary().size;
    for (int32_t s = 0; s < shortlist->vocabulary().source_size; ++s) {
      for (int32_t id : shortlist->TargetsOf(s)) {
        ASSERT_TRUE(id >= 0 && id < size);
      }
    }
    for (int32_t id : shortlist->common()) {
      ASSERT_TRUE(id >= 0 && id < size);
    }
  }
  EXPECT_GT(num_read, 50);  // of the fingerprint, say
}

}  // namespace
}  // namespace sheaf
