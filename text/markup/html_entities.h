// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace sheaf {

// A character reference of HTML and the one or two characters that it stands
// for.
struct CharacterReference {
  size_t size = 0;  // in bytes, with "&" and, if it has one, ";"
  int32_t first = 0;
  int32_t second = 0;  // 0: there is only one character
};

// The character reference at the beginning of `text`, as the HTML standard
// reads it outside of attributes: "&eacute;", "&copy", "&#8364;". If there is
// none, its size is 0. Reads at most as far as the reference and 33 bytes.
// REQUIRES: `text` begins with '&'.
CharacterReference FindCharacterReference(absl::string_view text);

}  // namespace sheaf
