// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "text/marks.h"

namespace sheaf {

// A unit of a text that terms consist of.
struct Word {
  TextRange range;
  bool follows_space = false;  // white space is before it
};

// Splits a text into words and single marks. White space is in none. Words are
// those of Unicode's word boundaries ("Node.js" and "3.14" are one), with these
// differences: an apostrophe is a mark, because it joins words in many
// languages ("l'eau", "server's"), and each character of a script that does not
// separate words is a word (Chinese, Japanese, Thai).
//
// Takes time linear in the text. REQUIRES: it is UTF-8.
std::vector<Word> SplitIntoWords(absl::string_view text);

// The character by Unicode's simple case folding: the same for 'A' and 'a'.
int32_t FoldCase(int32_t character);

}  // namespace sheaf
