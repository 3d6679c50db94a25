// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "text/text_encoder.h"

namespace sheaf {

// Reads a tag such as ">>deu<<" at the beginning of a text as one token, and
// leaves the rest to another encoder. A tag is all from ">>" to the first "<<".
// If it is no token of the model, it is unknown.
//
// A prompt has tags. A text without a prompt has them if it may yield special
// tokens; otherwise a tag is text.
class LanguageTagEncoder : public TextEncoder {
 public:
  LanguageTagEncoder(std::unique_ptr<const TextEncoder> encoder,
                     absl::flat_hash_map<std::string, int32_t> tag_ids,
                     int32_t unknown_id);

  std::vector<int32_t> Encode(absl::string_view prompt, absl::string_view text,
                              SpecialTokens allowed) const override;

 private:
  const std::unique_ptr<const TextEncoder> encoder_;
  const absl::flat_hash_map<std::string, int32_t> tag_ids_;
  const int32_t unknown_id_;
};

// The tag at the beginning of `text`. Empty if there is none.
absl::string_view LanguageTag(absl::string_view text);

}  // namespace sheaf
