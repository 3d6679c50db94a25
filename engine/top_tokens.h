// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/kernels/kernels.h"

namespace sheaf {

// Memory of TopTokens(), reused between calls.
struct TopTokensScratch {
  std::vector<float> maxima;   // of the blocks of the row
  std::vector<float> ordered;  // the same, for finding the k-th
  std::vector<int32_t> ids;    // the result of TopTokens()
};

// The ids of the `k` largest logits, largest first, the lower id first among
// equals. Logits of -infinity are left out. Valid until the next call.
//
// At least k logits reach the k-th largest of the maxima of all blocks of 64.
// So one pass finds the maxima, and only the few blocks that reach this bound
// are searched; the vocabulary is never sorted.
absl::Span<const int32_t> TopTokens(const kernels::Kernels& kernels,
                                    absl::Span<const float> logits, int32_t k,
                                    TopTokensScratch& scratch);

}  // namespace sheaf
