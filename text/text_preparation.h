// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace sheaf {

// How a `tokenizer.json` changes a text before pieces are matched in it. This
// replaces SentencePiece's own rules for spaces. The steps are, in this order:
//   1. Normalize() applies the table, then strips white space at the end, then
//      handles runs of spaces.
//   2. MarkSpaces() puts U+2581 for each space and, depending on `prefix`,
//   before
//      the first word.
struct TextPreparation {
  // How two or more spaces are changed.
  enum class Runs : uint8_t { kKept, kToSpace, kToMark };
  enum class Prefix : uint8_t { kAlways, kFirst, kNever };

  std::string charsmap;  // as CheckCharsMap() accepts it
  bool strips_end = false;
  Runs runs = Runs::kKept;
  bool splits_at_whitespace =
      false;  // each word gets a mark, spaces are dropped
  Prefix prefix = Prefix::kAlways;
};

// REQUIRES: `text` is UTF-8.
std::string Normalize(const TextPreparation& preparation,
                      absl::string_view text);

// `is_first` says that `normalized` is at the beginning of the whole text.
std::string MarkSpaces(const TextPreparation& preparation,
                       absl::string_view normalized, bool is_first);

}  // namespace sheaf
