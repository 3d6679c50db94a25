#include "engine/decoding.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace sheaf {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

// The logits of one choice: remembers what the rules changed.
class RuledLogits {
 public:
  RuledLogits(absl::Span<float> logits,
              std::vector<DecodingScratch::Edit>& edits)
      : logits_(logits), edits_(edits) {
    edits_.clear();
  }

  float operator[](int32_t id) const { return logits_[id]; }
  void Set(int32_t id, float logit) {
    edits_.push_back({id, logits_[id]});
    logits_[id] = logit;
  }
  void Forbid(int32_t id) { Set(id, kForbidden); }

  // As the model gave it: what the first edit found.
  float Original(int32_t id) const {
    for (const DecodingScratch::Edit& edit : edits_) {
      if (edit.id == id) return edit.logit;
    }
    return logits_[id];
  }

 private:
  absl::Span<float> logits_;
  std::vector<DecodingScratch::Edit>& edits_;
};

void PenalizeRepetition(absl::Span<const int32_t> tokens, float penalty,
                        std::vector<int32_t>& distinct, RuledLogits& logits) {
  distinct.assign(tokens.begin(), tokens.end());
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  for (int32_t id : distinct) {
    const float logit = logits[id];
    logits.Set(id, logit < 0 ? logit * penalty : logit / penalty);
  }
}

// Forbids every token that would complete an n-gram that `tokens` has already.
void ForbidRepeatedNgrams(absl::Span<const int32_t> tokens, int32_t n,
                          RuledLogits& logits) {
  if (static_cast<int32_t>(tokens.size()) < n) return;
  const absl::Span<const int32_t> tail = tokens.last(n - 1);
  for (size_t begin = 0; begin + n <= tokens.size(); ++begin) {
    if (std::equal(tail.begin(), tail.end(), tokens.begin() + begin)) {
      logits.Forbid(tokens[begin + n - 1]);
    }
  }
}

// Returns whether any rule applies.
bool ApplyRules(const TokenContext& context, DecodingScratch& scratch,
                RuledLogits& logits) {
  const SamplingParams& sampling = context.sampling;
  const bool is_too_short =
      static_cast<int32_t>(context.tokens.size()) <= sampling.min_new_tokens;
  if (sampling.repetition_penalty != 1.0f) {
    PenalizeRepetition(context.tokens, sampling.repetition_penalty,
                       scratch.candidates, logits);
  }
  if (sampling.no_repeat_ngram_size > 0) {
    ForbidRepeatedNgrams(context.tokens, sampling.no_repeat_ngram_size, logits);
  }
  for (int32_t id : sampling.suppressed_tokens) logits.Forbid(id);
  if (is_too_short) {
    for (int32_t id : context.eos_ids) logits.Forbid(id);
  }
  return sampling.repetition_penalty != 1.0f ||
         sampling.no_repeat_ngram_size > 0 ||
         !sampling.suppressed_tokens.empty() || is_too_short;
}

// SplitMix64 (Steele, Lea and Flood, 2014): a good 64-bit mix of a counter.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Uniform in [0, 1), fixed by its three arguments.
double Uniform(uint64_t seed, uint64_t segment_index, uint64_t num_tokens) {
  const uint64_t bits = Mix(Mix(Mix(seed) + segment_index) + num_tokens);
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

int32_t Sample(const TokenContext& context, absl::Span<const float> logits,
               std::vector<int32_t>& candidates) {
  const SamplingParams& sampling = context.sampling;
  candidates.resize(logits.size());
  std::iota(candidates.begin(), candidates.end(), 0);
  // Best first; ids break ties, so that the order is one.
  const auto is_better = [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  const bool is_cut_by_k =
      sampling.top_k > 0 &&
      sampling.top_k < static_cast<int32_t>(candidates.size());
  if (is_cut_by_k) {
    std::nth_element(candidates.begin(), candidates.begin() + sampling.top_k,
                     candidates.end(), is_better);
    candidates.resize(sampling.top_k);
  }
  if (sampling.top_p < 1.0f) {
    std::sort(candidates.begin(), candidates.end(), is_better);
  }
  float best = kForbidden;
  for (int32_t id : candidates) best = std::max(best, logits[id]);
  const auto weight = [&](int32_t id) {
    return std::exp((double{logits[id]} - best) / sampling.temperature);
  };
  double total = 0;
  for (int32_t id : candidates) total += weight(id);
  if (sampling.top_p < 1.0f) {
    // The smallest set whose probability reaches top_p; at least one token.
    double kept = 0;
    size_t num_kept = 0;
    while (num_kept < candidates.size() &&
           (num_kept == 0 || kept < sampling.top_p * total)) {
      kept += weight(candidates[num_kept++]);
    }
    candidates.resize(num_kept);
    total = kept;
  }
  double left = total * Uniform(sampling.seed, context.segment_index,
                                context.tokens.size());
  int32_t last = candidates.front();
  for (int32_t id : candidates) {
    if (logits[id] == kForbidden) continue;
    last = id;
    left -= weight(id);
    if (left < 0) break;
  }
  return last;
}

}  // namespace

ChosenToken ChooseToken(const TokenContext& context,
                        const kernels::Kernels& kernels,
                        absl::Span<float> logits, DecodingScratch& scratch) {
  const int32_t vocab_size = static_cast<int32_t>(logits.size());
  const kernels::MaxAndSum model =
      kernels.max_and_sum(logits.data(), vocab_size);
  const float log_sum = model.max + std::log(model.sum_exp);

  RuledLogits ruled(logits, scratch.edits);
  int32_t id = model.argmax;
  float best = model.max;
  if (ApplyRules(context, scratch, ruled)) {
    const kernels::MaxAndSum after =
        kernels.max_and_sum(logits.data(), vocab_size);
    id = after.argmax;
    best = after.max;
  }
  if (best == kForbidden) {
    id = context.eos_ids.front();
  } else if (context.sampling.temperature > 0) {
    id = Sample(context, logits, scratch.candidates);
  }
  return {id, ruled.Original(id) - log_sum};
}

}  // namespace sheaf
