// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "engine/model/architecture.h"
#include "engine/model/shortlist.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"

namespace sheaf {

// The bytes of a shortlist file: its format and its three lists, whether they
// are valid or not.
inline std::string ShortlistBytes(const std::vector<int64_t>& format,
                                  const ShortlistTables& tables) {
  uint64_t end = 0;
  const auto entry = [&](const char* name, const char* dtype, size_t size,
                         uint64_t element_bytes) {
    const uint64_t begin = end;
    end += size * element_bytes;
    return absl::StrFormat(
        R"("%s":{"dtype":"%s","shape":[%d],"data_offsets":[%d,%d]})", name,
        dtype, size, begin, end);
  };
  std::string header = "{";
  header += entry("format", "I64", format.size(), 8) + ",";
  header += entry("common", "I32", tables.common.size(), 4) + ",";
  header += entry("offsets", "I32", tables.offsets.size(), 4) + ",";
  header += entry("targets", "I32", tables.targets.size(), 4) + "}";
  return SafetensorsBytes(header, BytesOf(format) + BytesOf(tables.common) +
                                      BytesOf(tables.offsets) +
                                      BytesOf(tables.targets));
}

// Random tables: a common token in `common_step`, among them the end tokens,
// and up to `max_targets` targets for each token of a source.
inline std::shared_ptr<const Shortlist> RandomShortlist(
    const Architecture& architecture, int32_t common_step,
    int32_t max_targets) {
  std::mt19937 random(7);
  const int32_t size = architecture.vocab_size;
  ShortlistTables tables;
  for (int32_t id = 0; id < size; ++id) {
    const auto& eos = architecture.tokens.eos_ids;
    if (random() % common_step == 0 ||
        std::find(eos.begin(), eos.end(), id) != eos.end()) {
      tables.common.push_back(id);
    }
  }
  tables.offsets.push_back(0);
  for (int32_t s = 0; s < architecture.source_vocab_size; ++s) {
    std::vector<int32_t> targets;
    for (uint32_t n = random() % (max_targets + 1); n > 0; --n) {
      targets.push_back(static_cast<int32_t>(random() % size));
    }
    std::sort(targets.begin(), targets.end());
    targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
    tables.targets.insert(tables.targets.end(), targets.begin(), targets.end());
    tables.offsets.push_back(static_cast<int32_t>(tables.targets.size()));
  }
  absl::StatusOr<Shortlist> shortlist = Shortlist::Make(
      "random", {architecture.source_vocab_size, size}, std::move(tables));
  EXPECT_TRUE(shortlist.ok()) << shortlist.status();
  return std::make_shared<const Shortlist>(*std::move(shortlist));
}

}  // namespace sheaf
