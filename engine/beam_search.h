// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
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
// Not thread-safe; owned by the engine thread.
class BeamSearch {
 public:
  // Neither is owned; both outlive this. `alignment_shift` is that of the
  // ModelRunner.
  BeamSearch(const SamplingParams& sampling, absl::Span<const int32_t> eos_ids,
             int32_t alignment_shift = 0)
      : sampling_(sampling),
        eos_ids_(eos_ids),
        alignment_shift_(alignment_shift) {}

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

  // Takes a step. `candidates` contains, in any order, at least the best
  // NumCandidates() of every live beam (fewer if it has no more), and is sorted
  // by the call. REQUIRES: it is not empty, and the search is not done.
  void Advance(absl::Span<BeamStep> candidates, TokensOf tokens_of,
               ReasonToEnd reason_to_end);

  // The beams that live on, best first; none once the search is done.
  absl::Span<const BeamStep> live() const { return live_; }
  bool is_done() const { return live_.empty(); }

  // The finished hypotheses, best first: at most beam_size, and at least one
  // once the search is done.
  absl::Span<const Hypothesis> finished() const { return finished_; }

 private:
  void Finish(const BeamStep& step, FinishReason reason, TokensOf tokens_of);
  bool MayImprove(int32_t length) const;
  double Score(double sum_logprob, int32_t length) const {
    return HypothesisScore(sum_logprob, length, sampling_.length_penalty);
  }

  const SamplingParams& sampling_;
  const absl::Span<const int32_t> eos_ids_;
  const int32_t alignment_shift_;
  std::vector<BeamStep> live_;
  std::vector<Hypothesis> finished_;  // best first
  std::vector<double> scores_;        // of finished_, not rounded
};

}  // namespace sheaf
