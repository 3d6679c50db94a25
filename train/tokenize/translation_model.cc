// SPDX-License-Identifier: Apache-2.0

#include "train/tokenize/translation_model.h"

#include <cmath>
#include <utility>

namespace sheaf {
namespace {

constexpr uint32_t kNull = 0;

uint32_t SourceOf(int32_t id) { return static_cast<uint32_t>(id) + 1; }

}  // namespace

void TranslationModel::Train(int64_t num_pairs, PairAt pair_at) {
  for (int i = 0; i < options_.num_iterations; ++i) Improve(num_pairs, pair_at);
}

double TranslationModel::Weigh(const TokenPair& pair, size_t j,
                               std::vector<double>& weights) const {
  const int32_t target = pair.target[j];
  const size_t n = pair.source.size();
  const double at = (j + 0.5) / static_cast<double>(pair.target.size());
  weights.resize(n + 1);
  double prior_sum = 0;
  for (size_t i = 0; i < n; ++i) {
    weights[i] = std::exp(-options_.diagonal *
                          std::abs((i + 0.5) / static_cast<double>(n) - at));
    prior_sum += weights[i];
  }
  double sum = 0;
  for (size_t i = 0; i < n; ++i) {
    weights[i] *= (1 - options_.null_share) / prior_sum *
                  Probability(SourceOf(pair.source[i]), target);
    sum += weights[i];
  }
  weights[n] = options_.null_share * Probability(kNull, target);
  return sum + weights[n];
}

void TranslationModel::Improve(int64_t num_pairs, PairAt pair_at) {
  Table counts;
  counts.reserve(table_.size());
  std::vector<double> totals(1);
  std::vector<double> weights;
  for (int64_t p = 0; p < num_pairs; ++p) {
    const TokenPair pair = pair_at(p);
    if (pair.source.empty()) continue;
    for (size_t j = 0; j < pair.target.size(); ++j) {
      const double sum = Weigh(pair, j, weights);
      if (sum <= 0) continue;
      for (size_t i = 0; i < weights.size(); ++i) {
        if (weights[i] == 0) continue;
        const uint32_t source =
            i + 1 == weights.size() ? kNull : SourceOf(pair.source[i]);
        const double share = weights[i] / sum;
        counts[Key(source, pair.target[j])] += static_cast<float>(share);
        if (totals.size() <= source) totals.resize(source + 1);
        totals[source] += share;
      }
    }
  }
  table_ = std::move(counts);
  for (auto it = table_.begin(); it != table_.end();) {
    const auto entry = it++;
    const double probability = entry->second / totals[entry->first >> 32];
    if (probability < options_.least_probability) {
      table_.erase(entry);
    } else {
      entry->second = static_cast<float>(probability);
    }
  }
}

void TranslationModel::ForEach(
    absl::FunctionRef<void(int32_t, int32_t, float)> take) const {
  for (const auto& [key, probability] : table_) {
    const auto source = static_cast<uint32_t>(key >> 32);
    if (source == kNull || probability <= 0) continue;
    take(static_cast<int32_t>(source - 1),
         static_cast<int32_t>(key & 0xffffffff), probability);
  }
}

double TranslationModel::Probability(uint32_t source, int32_t target) const {
  if (table_.empty()) return 1;  // before the first iteration
  const auto found = table_.find(Key(source, target));
  return found == table_.end() ? 0 : found->second;
}

}  // namespace sheaf
