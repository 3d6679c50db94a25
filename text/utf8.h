// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// Whether `text` is UTF-8: no stray or missing bytes, no surrogates, no
// overlong forms, nothing after U+10FFFF. NUL is a character like any other.
bool IsValidUtf8(absl::string_view text);

// The number of bytes of the character that begins with the byte `lead`. 1 if
// no character does.
size_t CharacterSize(uint8_t lead);

// The number of bytes at the beginning of `text` that could begin a character,
// but form none: what decoders replace by one U+FFFD. REQUIRES: no character
// begins `text`, which is not empty.
size_t BrokenCharacterSize(absl::string_view text);

// The character that begins at `at`. Moves `at` after it. REQUIRES: `text` is
// UTF-8 and `at` is the beginning of a character.
int32_t NextCharacter(absl::string_view text, size_t& at);

// The character that ends at `at`. Moves `at` before it. REQUIRES: `text` is
// UTF-8, `at` > 0 is the end of a character.
int32_t PreviousCharacter(absl::string_view text, size_t& at);

// REQUIRES: `character` is a Unicode code point other than a surrogate.
void AppendCharacter(int32_t character, std::string& text);

// Unicode's White_Space.
bool IsWhitespace(int32_t character);

// Whether the character ends a line or a paragraph, by itself or as a part of
// CRLF.
bool IsLineBreak(int32_t character);

// Unicode's categories L and N, of any script.
bool IsLetter(int32_t character);
bool IsNumber(int32_t character);

// A letter or a decimal digit of any script.
bool IsLetterOrDigit(int32_t character);

// The characters that regular expressions match with \w, by Unicode's
// definition: letters, marks, decimal digits, connectors such as '_', and
// joiners.
bool IsWordCharacter(int32_t character);

// Unicode's Sentence_Break: a value of ICU's USentenceBreak.
int32_t SentenceBreak(int32_t character);

// Whether `text` has a letter or a digit of any script.
bool HasLetterOrDigit(absl::string_view text);

// Whether `text` has a letter of any script (IsLetter()) that is no emoji, as
// U+2139 is.
bool HasLetter(absl::string_view text);

// The number of bytes of the text in Unicode's form NFKC, which is about what a
// tokenizer makes of it: one character may become eighteen. If more than 30
// combining marks follow one another, which no language does, the further marks
// are counted as they are, never fewer than NFKC has. The time is therefore
// linear in the text.
//
// Calls `is_wanted` every few milliseconds. Once that returns false, returns
// the bytes of what was read so far.
int64_t NormalizedBytes(absl::string_view text,
                        absl::FunctionRef<bool()> is_wanted);

// The beginning of the character that has the byte at `at`; text.size() at the
// end. REQUIRES: `text` is UTF-8 and at <= text.size().
size_t CharacterBegin(absl::string_view text, size_t at);

}  // namespace sheaf
