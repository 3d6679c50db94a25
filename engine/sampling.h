#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/kernels/kernels.h"
#include "engine/logit_rules.h"
#include "engine/top_tokens.h"

namespace sheaf {

// Memory of SampleToken(), reused from call to call.
struct SamplingScratch {
  TopTokensScratch top;
  std::vector<float> weights;   // [vocab_size]
  std::vector<int32_t> ranges;  // [vocab_size]: of logits, best first
  std::vector<double> masses;   // of ranges of logits
  std::vector<int32_t> range;   // ids of one of them
};

// Draws a token from softmax(logits / temperature) cut to the top_k best and
// then to the smallest set that has probability top_p (of what top_k left; the
// lower id goes first among equals), and to those of it that have min_p times
// the best token's probability or more. The draw depends on (seed,
// segment_index, number of tokens) alone: the same seed gives the same text in
// any batch.
//
// `best_id` has the greatest logit, which is drawn too if logits that are no
// numbers leave nothing else. REQUIRES: it is not forbidden.
int32_t SampleToken(const TokenContext& context,
                    const kernels::Kernels& kernels,
                    absl::Span<const float> logits, int32_t best_id,
                    SamplingScratch& scratch);

}  // namespace sheaf
