// SPDX-License-Identifier: Apache-2.0

#include "engine/beam_search.h"

#include <algorithm>
#include <functional>

#include "base/check.h"

namespace sheaf {
namespace {

// Orders by sum, then by beam, then by token id, like a stable sort of the
// tokens of all beams in sequence.
bool IsBetter(const BeamStep& a, const BeamStep& b) {
  if (a.sum_logprob != b.sum_logprob) return a.sum_logprob > b.sum_logprob;
  return a.parent != b.parent ? a.parent < b.parent : a.token < b.token;
}

}  // namespace

void BeamSearch::Advance(absl::Span<BeamStep> candidates, TokensOf tokens_of,
                         ReasonToEnd reason_to_end) {
  SHEAF_CHECK(!candidates.empty());
  const int32_t beam_size = sampling_.beam_size;
  const int32_t length =  // including the token of this step
      static_cast<int32_t>(tokens_of(candidates.front().parent).ids.size());
  const bool is_last = length >= sampling_.max_new_tokens;
  const size_t num_seen = std::min<size_t>(
      candidates.size(), NumCandidates(beam_size, eos_ids_.size()));
  std::partial_sort(candidates.begin(), candidates.begin() + num_seen,
                    candidates.end(), IsBetter);
  live_.clear();
  int32_t num_kept = 0;  // including those that reason_to_end() ends
  for (int32_t rank = 0; rank < static_cast<int32_t>(num_seen); ++rank) {
    const BeamStep& step = candidates[rank];
    if (IsEos(step.token, eos_ids_)) {
      if (rank < beam_size) Finish(step, FinishReason::kEos, tokens_of);
      continue;
    }
    if (is_last ? rank >= beam_size : num_kept >= beam_size) continue;
    ++num_kept;
    const std::optional<FinishReason> end = reason_to_end(step);
    if (end.has_value() || is_last) {
      Finish(step, end.value_or(FinishReason::kLength), tokens_of);
    } else {
      live_.push_back(step);
    }
  }
  if (!live_.empty() && !MayImprove(length)) live_.clear();
}

// Whether the search continues. `length` is that of the live beams, including
// the token of this step.
bool BeamSearch::MayImprove(int32_t length) const {
  if (static_cast<int32_t>(finished_.size()) < sampling_.beam_size) return true;
  switch (sampling_.search_end) {
    case SearchEnd::kImmediately:
      return false;
    case SearchEnd::kNoLiveBeamBetter:
      break;
    case SearchEnd::kNoLiveBeamCanWin:
      // With a positive penalty, a negative sum scores best at full length.
      if (sampling_.length_penalty > 0) length = sampling_.max_new_tokens;
      break;
  }
  return Score(live_.front().sum_logprob, length) > scores_.back();
}

void BeamSearch::Finish(const BeamStep& step, FinishReason reason,
                        TokensOf tokens_of) {
  const auto [tokens, attended] = tokens_of(step.parent);
  const double score =
      Score(step.sum_logprob, static_cast<int32_t>(tokens.size()));
  const size_t rank = std::upper_bound(scores_.begin(), scores_.end(), score,
                                       std::greater<double>()) -
                      scores_.begin();
  if (static_cast<int32_t>(rank) >= sampling_.beam_size) return;
  Hypothesis hypothesis;
  hypothesis.tokens.reserve(tokens.size());
  hypothesis.tokens.assign(tokens.begin() + 1, tokens.end());
  if (reason != FinishReason::kEos) hypothesis.tokens.push_back(step.token);
  hypothesis.score = static_cast<float>(score);
  hypothesis.mean_logprob = static_cast<float>(
      HypothesisScore(step.sum_logprob, static_cast<int32_t>(tokens.size()),
                      /*length_penalty=*/1));
  hypothesis.finish_reason = reason;
  hypothesis.source_positions =
      SourcePositions(attended, hypothesis.tokens.size(), alignment_shift_);
  finished_.insert(finished_.begin() + rank, std::move(hypothesis));
  scores_.insert(scores_.begin() + rank, score);
  if (static_cast<int32_t>(finished_.size()) > sampling_.beam_size) {
    finished_.pop_back();
    scores_.pop_back();
  }
}

}  // namespace sheaf
