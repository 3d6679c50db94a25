#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/kernels/kernels.h"

namespace sheaf {

// Memory of TopTokens(), reused from call to call.
struct TopTokensScratch {
  std::vector<float> maxima;   // of the row's blocks
  std::vector<float> ordered;  // the same, for finding the k-th
  std::vector<int32_t> ids;    // what TopTokens() found
};

// The ids of the `k` greatest logits, greatest first, the lower id first among
// equals; fewer if fewer are not -infinity. Valid until the next call.
//
// The k-th greatest of the maxima of blocks of 64 is a bound that k logits at
// least reach: so one pass for the maxima, then a look into the few blocks that
// reach the bound, and no sort of the vocabulary.
absl::Span<const int32_t> TopTokens(const kernels::Kernels& kernels,
                                    absl::Span<const float> logits, int32_t k,
                                    TopTokensScratch& scratch);

}  // namespace sheaf
