// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "text/tokenizer.h"

namespace sheaf {

// The sequences of tokens that a model may write for a term as words of their
// own: at the beginning of a text, and after a word. They are distinct, and
// decode to the term. None: the tokenizer cannot write it.
std::vector<std::vector<int32_t>> TokensOfTerm(const Tokenizer& tokenizer,
                                               absl::string_view term);

// [num_tokens()]: whether a token continues the word before it, rather than
// beginning with a space or a mark.
std::vector<bool> TokensThatContinueWords(const Tokenizer& tokenizer);

}  // namespace sheaf
