// SPDX-License-Identifier: Apache-2.0

#include "engine/sampling.h"

#include <algorithm>
#include <cmath>

namespace sheaf {
namespace {

// SplitMix64 (Steele, Lea and Flood, 2014): a good 64-bit mix of a counter.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// A number in [0, 1), determined by the three arguments and uniform over them.
double Uniform(uint64_t seed, uint64_t segment_index, uint64_t num_tokens) {
  const uint64_t bits = Mix(Mix(Mix(seed) + segment_index) + num_tokens);
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

// The size of the smallest prefix of `ids`, best first, whose weights add up to
// `mass`; at least one. `mass` becomes the weight of that prefix.
template <typename WeightOf>
size_t NumToReach(absl::Span<const int32_t> ids, WeightOf weight_of,
                  double& mass) {
  const double goal = mass;
  size_t num = 0;
  mass = 0;
  while (num < ids.size() && (num == 0 || mass < goal)) {
    mass += weight_of(ids[num++]);
  }
  return num;
}

// The first of `ids` at which the sum of the weights exceeds `left`. If
// rounding prevents that, the last one with a weight.
template <typename WeightOf>
int32_t Draw(absl::Span<const int32_t> ids, WeightOf weight_of, double left) {
  int32_t drawn = ids.front();
  for (int32_t id : ids) {
    const double weight = weight_of(id);
    if (weight == 0) continue;
    drawn = id;
    left -= weight;
    if (left < 0) break;
  }
  return drawn;
}

// Lower temperatures give the same draws, because any two different logits are
// already further apart than the least weight allows. The reciprocal is finite.
constexpr float kLeastTemperature = 1e-30f;

// Draws from the whole vocabulary by weights.
class WholeDraw {
 public:
  WholeDraw(const kernels::Kernels& kernels, absl::Span<const float> logits,
            int32_t best_id, float temperature, SamplingScratch& scratch)
      : logits_(logits),
        best_id_(best_id),
        max_(logits[best_id]),
        scale_(1.0f / std::max(temperature, kLeastTemperature)),
        size_(static_cast<int32_t>(logits.size())),
        scratch_(scratch),
        weights_(scratch.weights) {
    weights_.resize(size_);
    total_ = kernels.exp_weights(logits.data(), size_, max_, scale_,
                                 weights_.data());
  }

  int32_t Draw(double uniform, float top_p, float min_p) {
    if (top_p < 1.0f) CutTo(top_p);
    if (min_p > 0.0f) DropBelow(min_p);
    double left = total_ * uniform;
    int32_t drawn = best_id_;
    for (int32_t id = 0; id < size_; ++id) {
      if (weights_[id] == 0) continue;
      drawn = id;
      left -= weights_[id];
      if (left < 0) break;
    }
    return drawn;
  }

 private:
  // Ranges of logits below the maximum, of equal width, best first.
  static constexpr int32_t kRangesPerPower = 16;
  static constexpr int32_t kNumRanges =
      -static_cast<int32_t>(kernels::kLeastWeightPower) * kRangesPerPower + 1;

  // Sets ranges[id] to the range of the token's logit. Compilers vectorize this
  // loop.
  void FindRanges(std::vector<int32_t>& ranges) const {
    ranges.resize(size_);
    const float width = scale_ * kRangesPerPower;
    for (int32_t id = 0; id < size_; ++id) {
      const float range = (max_ - logits_[id]) * width;
      // Forbidden tokens, which are infinitely far away, and NaN are in the
      // last range.
      ranges[id] = range < kNumRanges - 1.0f ? static_cast<int32_t>(range)
                                             : kNumRanges - 1;
    }
  }

  // Sets all weights outside the smallest set with probability top_p to 0.
  // Sorts only the range of logits in which the set ends.
  void CutTo(float top_p) {
    std::vector<int32_t>& ranges = scratch_.ranges;
    FindRanges(ranges);
    std::vector<double>& masses = scratch_.masses;
    masses.assign(kNumRanges, 0.0);
    for (int32_t id = 0; id < size_; ++id) masses[ranges[id]] += weights_[id];
    double left = double{top_p} * total_;
    total_ = 0;
    int32_t last = 0;
    while (last + 1 < kNumRanges && left > masses[last]) {
      left -= masses[last];
      total_ += masses[last++];
    }
    std::vector<int32_t>& range = scratch_.range;
    range.clear();
    for (int32_t id = 0; id < size_; ++id) {
      if (ranges[id] == last && weights_[id] != 0) range.push_back(id);
    }
    for (int32_t id = 0; id < size_; ++id) {
      weights_[id] = ranges[id] > last ? 0.0f : weights_[id];
    }
    std::sort(range.begin(), range.end(), [&](int32_t a, int32_t b) {
      return logits_[a] != logits_[b] ? logits_[a] > logits_[b] : a < b;
    });
    const size_t num_kept = NumToReach(
        range, [&](int32_t id) { return weights_[id]; }, left);
    total_ += left;
    for (size_t i = num_kept; i < range.size(); ++i) weights_[range[i]] = 0;
  }

  // The weight of the best token is 1, so `min_p` is a bound on weights.
  void DropBelow(float min_p) {
    total_ = 0;
    for (float& weight : weights_) {
      if (weight < min_p) weight = 0.0f;
      total_ += weight;
    }
  }

  const absl::Span<const float> logits_;
  const int32_t best_id_;
  const float max_, scale_;
  const int32_t size_;
  SamplingScratch& scratch_;
  std::vector<float>& weights_;
  double total_;
};

}  // namespace

int32_t SampleToken(const TokenContext& context,
                    const kernels::Kernels& kernels,
                    absl::Span<const float> logits, int32_t best,
                    SamplingScratch& scratch) {
  const SamplingParams& sampling = context.sampling;
  const double uniform =
      Uniform(sampling.seed, context.segment_index, context.tokens.size());
  if (sampling.top_k == 0 ||
      sampling.top_k >= static_cast<int32_t>(logits.size())) {
    return WholeDraw(kernels, logits, best, sampling.temperature, scratch)
        .Draw(uniform, sampling.top_p, sampling.min_p);
  }
  absl::Span<const int32_t> ids =
      TopTokens(kernels, logits, sampling.top_k, scratch.top);
  if (ids.empty()) return best;  // the logits are NaN
  const auto weight_of = [&](int32_t id) {
    return std::exp((double{logits[id]} - logits[best]) / sampling.temperature);
  };
  double total = 0;
  for (int32_t id : ids) total += weight_of(id);
  if (sampling.top_p < 1.0f) {
    total *= sampling.top_p;
    ids = ids.first(NumToReach(ids, weight_of, total));
  }
  if (sampling.min_p > 0.0f) {
    size_t num = 0;
    total = 0;
    while (num < ids.size() && weight_of(ids[num]) >= sampling.min_p) {
      total += weight_of(ids[num++]);
    }
    ids = ids.first(num);
  }
  return Draw(ids, weight_of, total * uniform);
}

}  // namespace sheaf
