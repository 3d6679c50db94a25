// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace sheaf {

// The number of words that repeat what stands directly before them, in the
// longest such part of a text. 0 if there is none. These are repetitions:
//   - one or two words four times or more: "ha ha ha ha"
//   - three to 32 words twice or more: "it is here it is here"
// Case does not count. A group of signs between white space is a word, and so
// is each character of a script without spaces.
//
// Takes time linear in the text. REQUIRES: `text` is UTF-8.
size_t NumRepeatedWords(absl::string_view text);

}  // namespace sheaf
