// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sheaf {

enum class LetterCase : uint8_t { kLower, kUpper, kTitle };

// A text in another case, and where its parts were.
struct CasedText {
  std::string text;
  // [bytes of the original + 1]: the place in `text` of each place of the
  // original.
  std::vector<size_t> places;
};

// The text in lower case, in upper case, or with a capital at its beginning and
// the rest as it is, by the rules of a language (BCP 47). REQUIRES: `text` is
// UTF-8.
CasedText ToCase(absl::string_view text, LetterCase letter_case,
                 absl::string_view language);

// The text of ToCase() in lower case.
std::string ToLowerCase(absl::string_view text, absl::string_view language);

}  // namespace sheaf
