// SPDX-License-Identifier: Apache-2.0

#include "engine/beam_search.h"

#include <algorithm>
#include <utility>

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

BeamSearch::BeamSearch(const SamplingParams& sampling,
                       absl::Span<const int32_t> eos_ids,
                       const ConstraintSet* constraints,
                       absl::Span<const int32_t> start_tokens)
    : sampling_(sampling), eos_ids_(eos_ids), constraints_(constraints) {
  if (constraints == nullptr) return;
  ConstraintSet::State& state = states_.emplace_back();
  for (size_t i = 1; i < start_tokens.size(); ++i) {
    state = constraints->After(state, start_tokens[i]);
  }
}

// Sorts the candidates that the step considers to the front; returns their
// number.
size_t BeamSearch::SortBest(absl::Span<BeamStep> candidates) {
  if (constraints_ != nullptr) {
    SortByBanks(candidates);
    return candidates.size();
  }
  const size_t num_seen = std::min<size_t>(
      candidates.size(), NumCandidates(sampling_.beam_size, eos_ids_.size()));
  std::partial_sort(candidates.begin(), candidates.begin() + num_seen,
                    candidates.end(), IsBetter);
  return num_seen;
}

void BeamSearch::SortByBanks(absl::Span<BeamStep> candidates) {
  banked_.clear();
  for (const BeamStep& step : candidates) {
    banked_.push_back({NumMissing(step), /*place=*/0, step});
  }
  std::sort(
      banked_.begin(), banked_.end(), [](const Banked& a, const Banked& b) {
        return a.num_missing != b.num_missing ? a.num_missing < b.num_missing
                                              : IsBetter(a.step, b.step);
      });
  for (size_t i = 1; i < banked_.size(); ++i) {
    if (banked_[i].num_missing == banked_[i - 1].num_missing) {
      banked_[i].place = banked_[i - 1].place + 1;
    }
  }
  std::sort(banked_.begin(), banked_.end(),
            [](const Banked& a, const Banked& b) {
              return a.place != b.place ? a.place < b.place
                                        : a.num_missing < b.num_missing;
            });
  for (size_t i = 0; i < banked_.size(); ++i) candidates[i] = banked_[i].step;
}

ConstraintSet::State BeamSearch::StateAfter(const BeamStep& step) const {
  return constraints_->After(states_[step.parent], step.token);
}

// The tokens that the beam lacks after this step.
int32_t BeamSearch::NumMissing(const BeamStep& step) const {
  if (constraints_ == nullptr) return 0;
  return constraints_->NumMissing(
      IsEos(step.token, eos_ids_) ? states_[step.parent] : StateAfter(step));
}

void BeamSearch::Advance(absl::Span<BeamStep> candidates, TokensOf tokens_of,
                         ReasonToEnd reason_to_end) {
  SHEAF_CHECK(!candidates.empty());
  const int32_t beam_size = sampling_.beam_size;
  const int32_t length =  // including the token of this step
      static_cast<int32_t>(tokens_of(candidates.front().parent).ids.size());
  const bool is_last = length >= sampling_.max_new_tokens;
  const size_t num_seen = SortBest(candidates);
  live_.clear();
  int32_t num_kept = 0;  // including those that reason_to_end() ends
  for (int32_t rank = 0; rank < static_cast<int32_t>(num_seen); ++rank) {
    const BeamStep& step = candidates[rank];
    if (IsEos(step.token, eos_ids_)) {
      const int32_t place =
          constraints_ == nullptr ? rank : banked_[rank].place;
      if (place < beam_size) Finish(step, FinishReason::kEos, tokens_of);
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
  if (constraints_ == nullptr) return;
  next_states_.clear();
  for (const BeamStep& step : live_) next_states_.push_back(StateAfter(step));
  std::swap(states_, next_states_);
}

// Whether the search continues. `length` is that of the live beams, including
// the token of this step.
bool BeamSearch::MayImprove(int32_t length) const {
  const int32_t num_needed =
      constraints_ == nullptr ? sampling_.beam_size : sampling_.num_hypotheses;
  if (static_cast<int32_t>(finished_.size()) < num_needed) return true;
  const Rank& worst = ranks_[num_needed - 1];
  if (worst.num_missing > 0) return true;
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
  const auto best = std::max_element(live_.begin(), live_.end(),
                                     [](const BeamStep& a, const BeamStep& b) {
                                       return a.sum_logprob < b.sum_logprob;
                                     });
  return Score(best->sum_logprob, length) > worst.score;
}

void BeamSearch::Finish(const BeamStep& step, FinishReason reason,
                        TokensOf tokens_of) {
  const LiveTokens live = tokens_of(step.parent);
  const absl::Span<const int32_t> tokens = live.ids;
  const Rank rank = {
      NumMissing(step),
      Score(step.sum_logprob, static_cast<int32_t>(tokens.size()))};
  const auto place = std::upper_bound(ranks_.begin(), ranks_.end(), rank);
  const ptrdiff_t index = place - ranks_.begin();
  if (index >= sampling_.beam_size) return;
  Hypothesis hypothesis;
  hypothesis.tokens.reserve(tokens.size());
  hypothesis.tokens.assign(tokens.begin() + 1, tokens.end());
  if (reason != FinishReason::kEos) hypothesis.tokens.push_back(step.token);
  hypothesis.score = static_cast<float>(rank.score);
  hypothesis.finish_reason = reason;
  hypothesis.mean_logprob = static_cast<float>(
      HypothesisScore(step.sum_logprob, static_cast<int32_t>(tokens.size()),
                      /*length_penalty=*/1));
  hypothesis.source_positions = SourcePositions(live, hypothesis.tokens.size());
  finished_.insert(finished_.begin() + index, std::move(hypothesis));
  ranks_.insert(place, rank);
  if (static_cast<int32_t>(finished_.size()) > sampling_.beam_size) {
    finished_.pop_back();
    ranks_.pop_back();
  }
}

}  // namespace sheaf
