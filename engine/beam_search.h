// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "engine/constraints.h"
#include "engine/hypotheses.h"
#include "engine/request.h"

namespace sheaf {

// A continuation of a live beam by one token.
struct BeamStep {
  int32_t parent;      // index of the live beam
  int32_t token;       // the next token
  double sum_logprob;  // of the beam and the token
};

// The bookkeeping of one beam search, with exactly the semantics of the
// reference implementation. It handles log-probabilities and lengths, but no
// logits, no rules and no KV.
//
// A step takes the best (1 + number of EOS ids) * beam_size candidates of all
// live beams together:
//   1. A candidate that ends in EOS finishes if it is among the best beam_size.
//   2. The best beam_size of the others live on.
//   3. At max_new_tokens the best beam_size candidates finish, whatever their
//      last token is.
//   4. Unlike in the reference, a live beam that the caller ends (a stop
//      sequence, a loop) finishes at once, with the same score.
// A finished hypothesis has its HypothesisScore(). It enters a pool of at most
// beam_size hypotheses, which drops its worst one.
//
// With constraints, a hypothesis that lacks fewer tokens of them
// (ConstraintSet::NumMissing) is better, whatever the scores are. The
// candidates form banks by the tokens that they lack, and the best of each bank
// come before the second best of each (dynamic beam allocation of Post and
// Vilar, in the order of Hu et al.). So beams that have met more terms at a
// cost and beams that have met fewer live on side by side. A candidate that
// ends in EOS finishes if it is among the best beam_size of its bank, but
// hypotheses that lack something are the result only if no other is found. The
// search ends when num_hypotheses hypotheses lack nothing and search_end holds
// for the worst of them. If none lacks nothing at max_new_tokens, those that
// lack least win.
//
// Not thread-safe; owned by the engine thread.
class BeamSearch {
 public:
  // Nothing is owned; all arguments outlive this. `constraints` may be null.
  // The search begins with a single beam, which has `start_tokens`.
  BeamSearch(const SamplingParams& sampling, absl::Span<const int32_t> eos_ids,
             const ConstraintSet* constraints = nullptr,
             absl::Span<const int32_t> start_tokens = {});

  // The number of candidates that a step considers, and the maximum that one
  // beam can contribute.
  static int32_t NumCandidates(int32_t beam_size, size_t num_eos_ids) {
    return beam_size * (1 + static_cast<int32_t>(num_eos_ids));
  }

  // The tokens of a live beam. All beams have the same length.
  using TokensOf = absl::FunctionRef<LiveTokens(int32_t beam)>;
  // The reason why a live beam ends with this token; nullopt if it lives on.
  // Not called for EOS.
  using ReasonToEnd =
      absl::FunctionRef<std::optional<FinishReason>(const BeamStep&)>;

  // Replaces `tokens` by those with which a live beam may come nearer to a term
  // that it lacks, in ascending order. REQUIRES: the search has constraints.
  void ListNext(int32_t beam, std::vector<int32_t>& tokens) const {
    constraints_->ListNext(states_[beam], tokens);
  }

  // Takes a step. `candidates` contains, in any order, at least the best
  // NumCandidates() of every live beam (fewer if it has no more), and those of
  // ListNext() that the rules allow; it is sorted by the call. REQUIRES: it is
  // not empty, and the search is not done.
  void Advance(absl::Span<BeamStep> candidates, TokensOf tokens_of,
               ReasonToEnd reason_to_end);

  // The beams that live on, best first; none once the search is done.
  absl::Span<const BeamStep> live() const { return live_; }
  bool is_done() const { return live_.empty(); }

  // The finished hypotheses, best first: at most beam_size, and at least one
  // once the search is done.
  absl::Span<const Hypothesis> finished() const { return finished_; }

 private:
  // How good a hypothesis is: the tokens that it lacks first, then the score.
  struct Rank {
    int32_t num_missing;
    double score;                              // not rounded
    bool operator<(const Rank& other) const {  // is better
      return num_missing != other.num_missing ? num_missing < other.num_missing
                                              : score > other.score;
    }
  };
  // A candidate of a search with constraints.
  struct Banked {
    int32_t num_missing;
    int32_t place;  // in its bank, best first
    BeamStep step;
  };

  size_t SortBest(absl::Span<BeamStep> candidates);
  void SortByBanks(absl::Span<BeamStep> candidates);
  ConstraintSet::State StateAfter(const BeamStep& step) const;
  int32_t NumMissing(const BeamStep& step) const;
  void Finish(const BeamStep& step, FinishReason reason, TokensOf tokens_of);
  bool MayImprove(int32_t length) const;
  double Score(double sum_logprob, int32_t length) const {
    return HypothesisScore(sum_logprob, length, sampling_.length_penalty);
  }

  const SamplingParams& sampling_;
  const absl::Span<const int32_t> eos_ids_;
  const ConstraintSet* const constraints_;
  std::vector<BeamStep> live_;
  std::vector<Hypothesis> finished_;  // best first
  std::vector<Rank> ranks_;           // of finished_
  // With constraints: the states of the live beams.
  std::vector<ConstraintSet::State> states_;
  std::vector<ConstraintSet::State> next_states_;  // scratch for Advance()
  std::vector<Banked> banked_;                     // the candidates of a step
};

}  // namespace sheaf
