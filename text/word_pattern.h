// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// Splits `text` into the words of GPT-2's pattern, which byte-level encoders
// encode one by one:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// The words make up the whole text. Takes time linear in it. REQUIRES: `text`
// is UTF-8.
void SplitByWordPattern(absl::string_view text,
                        absl::FunctionRef<void(absl::string_view)> take_word);

}  // namespace sheaf
