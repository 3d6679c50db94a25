// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sheaf {

enum class UnicodeForm : uint8_t { kNfc, kNfkc };

// `text` in a normalization form of Unicode. Takes time n log n in the text,
// also where very many combining marks follow one another. REQUIRES: `text` is
// UTF-8.
std::string ToUnicodeForm(UnicodeForm form, absl::string_view text);

// Appends the characters of the compatibility decomposition (NFKD) of one
// character, which may be the character itself.
void AppendDecomposed(int32_t character, std::vector<int32_t>& out);

}  // namespace sheaf
