// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace sheaf {

// The alphabet in which byte-level vocabularies (GPT-2's and those after it)
// write bytes as visible characters: "\u0120the" is " the".

// The character of a byte.
int32_t ByteCharacter(uint8_t byte);

// The bytes that `text` writes. Absent if a character is not in the alphabet.
// REQUIRES: `text` is UTF-8.
std::optional<std::string> AlphabetBytes(absl::string_view text);

}  // namespace sheaf
