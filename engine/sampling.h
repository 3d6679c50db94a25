// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/kernels/kernels.h"
#include "engine/logit_rules.h"
#include "engine/top_tokens.h"

namespace sheaf {

// Memory of SampleToken(), reused between calls.
struct SamplingScratch {
  TopTokensScratch top;
  std::vector<float> weights;   // [vocab_size]
  std::vector<int32_t> ranges;  // [vocab_size]: the range of each logit
  std::vector<double> masses;   // by range, best first: sums of weights
  std::vector<int32_t> range;   // the ids of one range
};

// Draws a token from softmax(logits / temperature), cut in this order:
//   1. to the top_k best tokens;
//   2. to the smallest set of these that has probability top_p (the lower id
//      first among equals);
//   3. to the tokens with at least min_p times the probability of the best one.
// The draw depends only on (seed, segment_index, number of tokens), so the same
// seed gives the same text in any batch.
//
// Takes and returns indices of logits, which are ids unless context.ids has
// others. `best` has the maximum logit. It is drawn if NaN logits leave no
// other token. REQUIRES: it is not forbidden.
int32_t SampleToken(const TokenContext& context,
                    const kernels::Kernels& kernels,
                    absl::Span<const float> logits, int32_t best,
                    SamplingScratch& scratch);

}  // namespace sheaf
