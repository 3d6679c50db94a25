// SPDX-License-Identifier: Apache-2.0

#include "train/common/ngram_bleu.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

namespace sheaf {
namespace {

using Ngram = std::vector<int32_t>;
using Counts = std::map<Ngram, int64_t>;

Counts CountNgrams(const std::vector<int32_t>& tokens, size_t order) {
  Counts counts;
  for (size_t i = 0; i + order <= tokens.size(); ++i) {
    ++counts[Ngram(tokens.begin() + i, tokens.begin() + i + order)];
  }
  return counts;
}

int64_t ClosestLength(int64_t length,
                      const std::vector<std::vector<int32_t>>& references) {
  int64_t best = -1;
  for (const std::vector<int32_t>& reference : references) {
    const int64_t other = static_cast<int64_t>(reference.size());
    const int64_t gap = std::abs(other - length);
    const int64_t best_gap = std::abs(best - length);
    if (best < 0 || gap < best_gap || (gap == best_gap && other < best)) {
      best = other;
    }
  }
  return std::max<int64_t>(best, 0);
}

}  // namespace

void BleuCounts::Add(const std::vector<int32_t>& hypothesis,
                     const std::vector<std::vector<int32_t>>& references) {
  for (int order = 1; order <= kMaxOrder; ++order) {
    Counts most;
    for (const std::vector<int32_t>& reference : references) {
      for (const auto& [ngram, count] : CountNgrams(reference, order)) {
        int64_t& known = most[ngram];
        known = std::max(known, count);
      }
    }
    for (const auto& [ngram, count] : CountNgrams(hypothesis, order)) {
      num_ngrams[order - 1] += count;
      const auto found = most.find(ngram);
      if (found != most.end()) {
        num_matches[order - 1] += std::min(count, found->second);
      }
    }
  }
  hypothesis_length += static_cast<int64_t>(hypothesis.size());
  reference_length +=
      ClosestLength(static_cast<int64_t>(hypothesis.size()), references);
}

double BleuCounts::BrevityPenalty() const {
  if (hypothesis_length >= reference_length) return 1;
  if (hypothesis_length == 0) return 0;
  return std::exp(1 - static_cast<double>(reference_length) /
                          static_cast<double>(hypothesis_length));
}

std::array<double, BleuCounts::kMaxOrder> BleuCounts::Precisions() const {
  std::array<double, kMaxOrder> precisions = {};
  double smoothing = 1;
  for (int i = 0; i < kMaxOrder; ++i) {
    if (num_ngrams[i] == 0) continue;
    double matches = static_cast<double>(num_matches[i]);
    if (matches == 0) {
      smoothing *= 2;
      matches = 1 / smoothing;
    }
    precisions[i] = 100 * matches / static_cast<double>(num_ngrams[i]);
  }
  return precisions;
}

double BleuCounts::Score() const {
  if (num_matches[0] == 0) return 0;
  double sum = 0;
  for (const double precision : Precisions()) {
    if (precision == 0) return 0;  // a corpus without n-grams of an order
    sum += std::log(precision);
  }
  return BrevityPenalty() * std::exp(sum / kMaxOrder);
}

}  // namespace sheaf
