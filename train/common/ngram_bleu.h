#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace sheaf {

// The counts that a corpus' BLEU is made of (Papineni et al. 2002), over tokens
// of any kind, each kind a number of its own.
struct BleuCounts {
  static constexpr int kMaxOrder = 4;

  // Adds a sentence. Of several references an n-gram counts as often as in the
  // one that has most of it; the length is that of the reference whose length
  // is closest, of two equally close the shorter.
  void Add(const std::vector<int32_t>& hypothesis,
           const std::vector<std::vector<int32_t>>& references);

  // 0 to 100. Orders without a match but with n-grams are smoothed as NIST's
  // mteval does ("exp"): the k-th such counts as 1 / 2^k matches.
  double Score() const;

  double BrevityPenalty() const;
  // In percent, [order - 1], smoothed.
  std::array<double, kMaxOrder> Precisions() const;

  std::array<int64_t, kMaxOrder> num_matches = {};
  std::array<int64_t, kMaxOrder> num_ngrams = {};  // of the hypotheses
  int64_t hypothesis_length = 0;
  int64_t reference_length = 0;
};

}  // namespace sheaf
