// SPDX-License-Identifier: Apache-2.0

#include "engine/top_tokens.h"

#include <algorithm>
#include <functional>

#include "engine/logit_rules.h"

namespace sheaf {

absl::Span<const int32_t> TopTokens(const kernels::Kernels& kernels,
                                    absl::Span<const float> logits, int32_t k,
                                    TopTokensScratch& scratch) {
  const int32_t size = static_cast<int32_t>(logits.size());
  const int32_t num_blocks =
      (size + kernels::kScanBlock - 1) / kernels::kScanBlock;
  scratch.maxima.resize(num_blocks);
  kernels.block_maxima(logits.data(), size, scratch.maxima.data());
  float bound = kForbidden;
  if (k <= num_blocks) {
    std::vector<float>& ordered = scratch.ordered;
    ordered.assign(scratch.maxima.begin(), scratch.maxima.end());
    std::nth_element(ordered.begin(), ordered.begin() + k - 1, ordered.end(),
                     std::greater<float>());
    bound = ordered[k - 1];
  }
  std::vector<int32_t>& ids = scratch.ids;
  ids.clear();
  for (int32_t block = 0; block < num_blocks; ++block) {
    if (scratch.maxima[block] < bound) continue;
    const int32_t begin = block * kernels::kScanBlock;
    const int32_t end = std::min(begin + kernels::kScanBlock, size);
    for (int32_t id = begin; id < end; ++id) {
      if (logits[id] >= bound && logits[id] > kForbidden) ids.push_back(id);
    }
  }
  const auto is_better = [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  if (static_cast<int32_t>(ids.size()) > k) {
    std::nth_element(ids.begin(), ids.begin() + k, ids.end(), is_better);
    ids.resize(k);
  }
  std::sort(ids.begin(), ids.end(), is_better);
  return ids;
}

}  // namespace sheaf
