// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "text/marks.h"

namespace sheaf {

// The byte at `at`; 0 behind the text.
inline char ByteAt(absl::string_view text, size_t at) {
  return at < text.size() ? text[at] : '\0';
}

// Whether the character is a part of a word in a script that separates words.
// Chinese, Japanese, Thai and the like do not.
bool IsOfSpacedWord(int32_t character);

// Whether such a character ends before `at`, or begins there. REQUIRES: `text`
// is UTF-8, and `at` is a border of characters.
bool HasWordBefore(absl::string_view text, size_t at);
bool HasWordAt(absl::string_view text, size_t at);

// Whether the range is no part of a longer word at either end: if it begins
// with such a character, none is before it, and if it ends with one, none is
// after it. REQUIRES: as above; the range is not empty.
bool IsAtWordBorders(absl::string_view text, TextRange range);

}  // namespace sheaf
