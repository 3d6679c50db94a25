// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// How a `tokenizer.json` changes a text before pieces are matched in it. This
// replaces SentencePiece's own rules for spaces.
struct TextPreparation {
  // One change of a text.
  struct Step {
    enum class Kind : uint8_t {
      kNfc,          // Unicode's normalization forms
      kNfkc,         //
      kStrip,        // white space at the ends
      kReplaceRuns,  // `content` for each two or more spaces
      kReplace,      // `content` for each `pattern`, which is not empty
      kPrepend,      // `content` before a text that is not empty
    };
    Kind kind = Kind::kStrip;
    bool strips_begin = false, strips_end = false;  // kStrip
    std::string pattern = {};
    std::string content = {};
  };
  enum class Prefix : uint8_t { kAlways, kFirst, kNever };
  // The strings that no token crosses.
  enum class Words : uint8_t {
    kWhole,        // the text is one word
    kAtMarks,      // a word begins at each U+2581
    kAfterSpaces,  // a word ends after each space
    kByPattern,    // as in SplitByWordPattern()
  };

  // Normalize() applies this table, as CheckCharsMap() accepts it, and then the
  // steps in their order.
  std::string charsmap = {};
  std::vector<Step> steps = {};

  // MarkSpaces() drops white space between words, which then get a mark each.
  bool splits_at_whitespace = false;
  // Marks spaces by U+2581. Otherwise they stay spaces.
  bool marks_spaces = true;
  Prefix prefix = Prefix::kAlways;  // a mark before the first word
  Words words = Words::kAtMarks;
};

// REQUIRES: `text` is UTF-8.
std::string Normalize(const TextPreparation& preparation,
                      absl::string_view text);

// `is_first` says that `normalized` is at the beginning of the whole text.
std::string MarkSpaces(const TextPreparation& preparation,
                       absl::string_view normalized, bool is_first);

// Calls `take_word` for each word of MarkSpaces(), from left to right.
void SplitWords(const TextPreparation& preparation,
                absl::string_view normalized, bool is_first,
                absl::FunctionRef<void(absl::string_view)> take_word);

}  // namespace sheaf
