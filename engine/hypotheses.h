// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

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

// A growing output and, if asked for, the source position that each of its
// tokens attended to as an input (DecodeEntry::attended).
struct LiveTokens {
  absl::Span<const int32_t> ids;  // start token first
  absl::Span<const int32_t> attended = {};
  int32_t alignment_shift = 0;  // of the ModelRunner
};

// Hypothesis::source_positions of `num_tokens` tokens after the start token, at
// most one of which is not in `live` yet. With a shift of 1, the last token of
// a hypothesis that was cut has never been an input, and takes the position at
// which it was predicted.
inline std::vector<int32_t> SourcePositions(const LiveTokens& live,
                                            size_t num_tokens) {
  std::vector<int32_t> positions;
  if (live.attended.empty()) return positions;
  positions.reserve(num_tokens);
  for (size_t i = 0; i < num_tokens; ++i) {
    positions.push_back(live.attended[std::min(i + live.alignment_shift,
                                               live.attended.size() - 1)]);
  }
  return positions;
}

}  // namespace sheaf
