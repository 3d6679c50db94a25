// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <set>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/model/config_keys.h"
#include "gtest/gtest.h"

namespace sheaf {

// Expects each key once in the common table and that of a family, with a note
// if its fate needs one, and all of `saved_keys`, which white space separates.
inline void ExpectKeyTables(absl::Span<const ConfigKey> family_keys,
                            absl::string_view saved_keys) {
  std::set<absl::string_view> names;
  for (const auto& table : {CommonConfigKeys(), family_keys}) {
    for (const ConfigKey& key : table) {
      EXPECT_TRUE(names.insert(key.name).second) << key.name;
      const bool has_reason = key.fate == ConfigKey::Fate::kHarmless ||
                              key.fate == ConfigKey::Fate::kWarns ||
                              key.fate == ConfigKey::Fate::kRefused;
      EXPECT_EQ(!key.note.empty(), has_reason) << key.name;
    }
  }
  for (absl::string_view key :
       absl::StrSplit(saved_keys, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    EXPECT_TRUE(names.contains(key)) << key;
  }
}

}  // namespace sheaf
