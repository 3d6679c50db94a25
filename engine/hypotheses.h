// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/types/span.h"

// The rules of a hypothesis that greedy decoding, sampling and beam search
// share.
namespace sheaf {

// Whether `token` is one of the model's end tokens.
inline bool IsEos(int32_t token, absl::Span<const int32_t> eos_ids) {
  return std::find(eos_ids.begin(), eos_ids.end(), token) != eos_ids.end();
}

// The score of a hypothesis of `length` tokens: with EOS, without the start
// token.
inline double HypothesisScore(double sum_logprob, int32_t length,
                              float length_penalty) {
  return sum_logprob / std::pow(length, double{length_penalty});
}

}  // namespace sheaf
