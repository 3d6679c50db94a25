// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "text/added_token_encoder.h"
#include "text/added_tokens.h"
#include "text/bpe_word_encoder.h"
#include "text/tokenizer_files.h"

namespace sheaf {

// Encodes by the merges of byte pair encoding, with added tokens between the
// words (tokenizer_files.h). Special tokens are not made of text.
class BpeEncoder : public AddedTokenEncoder {
 public:
  // REQUIRES: `files` has a `bpe` and a `preparation`.
  explicit BpeEncoder(const TokenizerFiles& files);

 private:
  void AppendText(absl::string_view text, bool is_first, SpecialTokens allowed,
                  std::vector<int32_t>& ids) const override;

  const BpeWordEncoder words_;
};

}  // namespace sheaf
