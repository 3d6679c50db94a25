// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "text/added_tokens.h"

namespace sheaf {

// Turns text into token ids, without start and end tokens. Implemented by one
// class per kind of tokenizer.
//
// Thread-safe: immutable.
class TextEncoder {
 public:
  virtual ~TextEncoder() = default;

  // The ids of `prompt` followed by `text`. The author of the model wrote the
  // prompt, so it may yield all tokens. The text yields special tokens only up
  // to `allowed`; others that it names are text.
  //
  // Takes time linear in both, or n log n. Bytes that are not UTF-8 count as
  // U+FFFD.
  virtual std::vector<int32_t> Encode(absl::string_view prompt,
                                      absl::string_view text,
                                      SpecialTokens allowed) const = 0;
};

}  // namespace sheaf
