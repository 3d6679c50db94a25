// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace sheaf {

// The counts of a corpus' BLEU (Papineni et al. 2002), over tokens of any kind,
// which are given as numbers.
struct BleuCounts {
  static constexpr int kMaxOrder = 4;

  // Adds a sentence. With several references, an n-gram counts as often as in
  // the reference that has it most often. The length is that of the reference
  // with the closest length, or of the shorter one of two.
  void Add(const std::vector<int32_t>& hypothesis,
           const std::vector<std::vector<int32_t>>& references);

  // 0 to 100. Orders with n-grams but without a match are smoothed as in NIST's
  // mteval ("exp"): the k-th such order counts as 1 / 2^k matches.
  double Score() const;

  double BrevityPenalty() const;
  // [order - 1], in percent, smoothed.
  std::array<double, kMaxOrder> Precisions() const;

  std::array<int64_t, kMaxOrder> num_matches = {};
  std::array<int64_t, kMaxOrder> num_ngrams = {};  // of the hypotheses
  int64_t hypothesis_length = 0;
  int64_t reference_length = 0;
};

}  // namespace sheaf
