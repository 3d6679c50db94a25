#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// Checks the table by which a SentencePiece model normalizes text: a size in
// bytes (u32, little-endian), a Darts double array of that size, and after it
// the replacement strings, each ended by NUL. libsentencepiece follows the
// array's offsets without looking where they lead, so it may only be given
// tables that this function accepts. For every text,
//   1. each step through the array ends within the array;
//   2. at most kMaxNestedRules rules match at one place (libsentencepiece has
//      room for 32 on its stack);
//   3. each replacement begins within the strings, is UTF-8, and has at most
//      kMaxReplacementBytes bytes, so that text cannot grow without bound.
//
// InvalidArgument says which rule is broken. An empty `charsmap` is fine.
absl::Status CheckCharsMap(absl::string_view charsmap);

// `text` normalized by the table, as libsentencepiece does it: at each place
// the longest rule that matches is applied, else one character is copied. What
// is not UTF-8 becomes U+FFFD. Takes time linear in the text.
// REQUIRES: CheckCharsMap(charsmap) is OK.
std::string ApplyCharsMap(absl::string_view charsmap, absl::string_view text);

}  // namespace sheaf
