// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// Checks the table by which a SentencePiece model normalizes text: a size in
// bytes (u32, little-endian), a Darts double array of that size, and after it
// the replacement strings, each ended by NUL. libsentencepiece follows the
// offsets of the array without checking them, so it may only receive tables
// that this function accepts. For every text,
//   1. each step through the array ends within the array;
//   2. at most kMaxNestedRules rules match at one place (libsentencepiece has
//      room for 32 on its stack);
//   3. each replacement begins within the strings, is UTF-8, and has at most
//      kMaxReplacementBytes bytes, so that text cannot grow without bound.
//
// InvalidArgument names the broken rule. An empty `charsmap` is accepted.
absl::Status CheckCharsMap(absl::string_view charsmap);

// `text` normalized by the table in the way of libsentencepiece: at each place,
// the longest rule that matches is applied. If none matches, one character is
// copied. Bytes that are not UTF-8 become U+FFFD. Takes time linear in the
// text. REQUIRES: CheckCharsMap(charsmap) is OK.
std::string ApplyCharsMap(absl::string_view charsmap, absl::string_view text);

}  // namespace sheaf
