// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/checks/text_edits.h"
#include "text/marks.h"

namespace sheaf {

enum class Capitals : uint8_t {
  kNone,
  kAll,    // "THE FILE IS OPEN."
  kTitle,  // "How to Install the Program"
};

// How a segment in `language` (BCP 47) uses capitals, apart from the ranges of
// `kept`:
//   - kAll: no small letter, and two words of two letters or more, or one of
//     four or more
//   - kTitle: three words or more; the first and all words of four letters or
//     more begin with a capital. Only English titles are written so.
// Scripts without capitals have none. REQUIRES: `segment` is UTF-8; `kept` is
// in order and disjoint.
Capitals CapitalsOf(absl::string_view segment, absl::string_view language,
                    absl::Span<const TextRange> kept);

// The segment as an ordinary sentence would be written in `language` (BCP 47):
// words in lower case, the first letter of the segment in upper case. These
// stay: the ranges of `kept`, words with digits, words with both small letters
// and a capital after the first letter ("GitHub"), words in capitals where
// others have small letters ("PDF"), and "I" in English.
ReplacedSource ToSentenceCase(absl::string_view segment,
                              absl::string_view language,
                              absl::Span<const TextRange> kept);

// Sets a translation like its source: all letters in upper case by the rules of
// `language` ("ß" gives "SS"), or the first letter of each word of a title, if
// titles are written so in that language. Only English is one; titles in others
// are left as they are. The ranges of `kept` stay.
EditedText SetCapitals(const EditedText& target, Capitals capitals,
                       absl::string_view language,
                       absl::Span<const TextRange> kept);

}  // namespace sheaf
