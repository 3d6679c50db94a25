// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "text/added_tokens.h"

namespace sheaf {

// The tokens and the prefix around a text in the source that the model reads,
// and how the decoder begins its answer.
struct PromptTemplate {
  // Encoded together with the text: "translate English to German: ".
  std::string text_prefix = {};
  std::vector<int32_t> before = {};  // ids before prefix and text
  std::vector<int32_t> after = {};  // ids after the text, such as the end token
  // The special tokens that the text may yield. The prefix may yield all.
  SpecialTokens allowed = SpecialTokens::kNone;
  // The decoder's start token, in place of the model's.
  std::optional<int32_t> decoder_start = std::nullopt;
  // The first token of every answer, such as the target language, in place of
  // the model's.
  std::optional<int32_t> forced_first = std::nullopt;
};

}  // namespace sheaf
