// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <vector>

#include "absl/strings/string_view.h"

namespace sheaf {

// [begin, end) of a text, in bytes.
struct TextRange {
  size_t begin = 0;
  size_t end = 0;
  size_t size() const { return end - begin; }
};

inline absl::string_view Slice(absl::string_view text, TextRange range) {
  return text.substr(range.begin, range.size());
}

// The range without the white space at both ends.
TextRange Trim(absl::string_view text, TextRange range);

// Appends the parts of `sentence` that a model should read. Marks are the
// characters that are neither letters, digits, combining characters nor white
// space. These are left out:
//   - a sentence without a letter or digit
//   - 16 marks or more between two words, which divide the sentence
//     ("Chapter 1 ................ 12")
//   - at either end of a part, 4 marks or more that are set off by white space
//     ("---- Title"), and 4 equal ones ("====Title"). One terminal mark stays
//     ("Stop!!!!!" gives "Stop!")
//   - list marks and dashes at the beginning, set off by a space ("- Open",
//     "> quoted"), which a model would translate
// Other short marks stay, because they are quotes or punctuation.
//
// The time is linear in the range. REQUIRES: `text` is UTF-8.
void AppendReadableParts(absl::string_view text, TextRange sentence,
                         std::vector<TextRange>& parts);

}  // namespace sheaf
