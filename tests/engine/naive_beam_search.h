// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/request.h"

namespace sheaf {

// Beam search as the code of the reference implementation defines it, step by
// step on whole rows of log-probabilities. Tests compare the engine with it.
// `log_probs` returns the row after `tokens`, with the rules applied.
inline std::vector<Hypothesis> NaiveBeamSearch(
    const std::function<std::vector<double>(const std::vector<int32_t>&)>&
        log_probs,
    const SamplingParams& sampling, int32_t eos,
    const std::vector<int32_t>& start) {
  struct Beam {
    std::vector<int32_t> tokens;
    double sum;
  };
  struct Candidate {
    double sum;
    size_t beam;
    int32_t token;
  };
  const size_t num_beams = sampling.beam_size;
  const auto score_of = [&](double sum, int32_t length) {
    return sum / std::pow(length, double{sampling.length_penalty});
  };
  std::vector<Beam> live = {{start, 0.0}};
  std::vector<Hypothesis> pool;
  while (true) {
    std::vector<Candidate> candidates;
    for (size_t i = 0; i < live.size(); ++i) {
      const std::vector<double> row = log_probs(live[i].tokens);
      for (size_t id = 0; id < row.size(); ++id) {
        if (std::isinf(row[id])) continue;
        candidates.push_back(
            {live[i].sum + row[id], i, static_cast<int32_t>(id)});
      }
    }
    std::stable_sort(
        candidates.begin(), candidates.end(),
        [](const Candidate& a, const Candidate& b) { return a.sum > b.sum; });
    if (candidates.size() > 2 * num_beams) candidates.resize(2 * num_beams);
    const int32_t length = static_cast<int32_t>(live[0].tokens.size());
    const bool is_last = length == sampling.max_new_tokens;
    std::vector<Beam> next;
    for (size_t rank = 0; rank < candidates.size(); ++rank) {
      const Candidate& each = candidates[rank];
      std::vector<int32_t> tokens = live[each.beam].tokens;
      if (each.token != eos) tokens.push_back(each.token);
      if (each.token == eos || is_last) {
        if (rank >= num_beams) continue;
        tokens.erase(tokens.begin());
        pool.push_back(
            {std::move(tokens), static_cast<float>(score_of(each.sum, length)),
             each.token == eos ? FinishReason::kEos : FinishReason::kLength});
      } else if (next.size() < num_beams) {
        next.push_back({std::move(tokens), each.sum});
      }
    }
    std::stable_sort(pool.begin(), pool.end(),
                     [](const Hypothesis& a, const Hypothesis& b) {
                       return a.score > b.score;
                     });
    if (pool.size() > num_beams) pool.resize(num_beams);
    if (next.empty()) return pool;
    if (pool.size() == num_beams) {
      if (sampling.search_end == SearchEnd::kImmediately) return pool;
      const bool looks_ahead =
          sampling.search_end == SearchEnd::kNoLiveBeamCanWin &&
          sampling.length_penalty > 0;
      const double best =
          score_of(next[0].sum, looks_ahead ? sampling.max_new_tokens : length);
      if (best <= pool.back().score) return pool;
    }
    live = std::move(next);
  }
}

}  // namespace sheaf
