#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace sheaf {

// How a `tokenizer.json` changes a text before pieces are matched in it, in
// place of SentencePiece's own rules for spaces. The steps are, in this order:
//   Normalize(): the table, then white space at the end, then runs of spaces;
//   MarkSpaces(): U+2581 for each space and, by `prefix`, before the first
//   word.
struct TextPreparation {
  enum class Runs : uint8_t {
    kKept,
    kToSpace,
    kToMark
  };  // of 2 or more spaces
  enum class Prefix : uint8_t { kAlways, kFirst, kNever };

  std::string charsmap;  // as CheckCharsMap() accepts it
  bool strips_end = false;
  Runs runs = Runs::kKept;
  bool splits_at_whitespace = false;  // each word gets its mark, spaces go
  Prefix prefix = Prefix::kAlways;
};

// REQUIRES: `text` is UTF-8.
std::string Normalize(const TextPreparation& preparation,
                      absl::string_view text);

// `is_first`: `normalized` is from the beginning of the whole text.
std::string MarkSpaces(const TextPreparation& preparation,
                       absl::string_view normalized, bool is_first);

}  // namespace sheaf
