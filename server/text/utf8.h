#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace sheaf {

// Whether `text` is UTF-8: no stray or missing bytes, no surrogates, no
// overlong forms, nothing past U+10FFFF. NUL is a character like any other.
bool IsValidUtf8(absl::string_view text);

// The character that begins at `at`, which moves behind it. REQUIRES: `text`
// is UTF-8 and `at` is the beginning of a character.
int32_t NextCharacter(absl::string_view text, size_t& at);

// Unicode's White_Space.
bool IsWhitespace(int32_t character);

// Whether `text` has a letter or a digit of any script.
bool HasLetterOrDigit(absl::string_view text);

// Bytes of the text in Unicode's form NFKC, which is about what a tokenizer
// makes of it: one character may become eighteen.
int64_t NormalizedBytes(absl::string_view text);

}  // namespace sheaf
