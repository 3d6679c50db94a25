#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "engine/request.h"

namespace sheaf {

// A live beam goes on with a token.
struct BeamStep {
  int32_t parent;      // index of the live beam
  int32_t token;       // that follows it
  double sum_logprob;  // of the beam and the token
};

// The bookkeeping of one beam search, in the reference implementation's exact
// semantics (its current formulation). It knows log-probabilities and lengths:
// no logits, no rules, no KV.
//
// A step takes the best (1 + number of EOS ids) * beam_size candidates of all
// live beams together. Those that end in EOS finish if they are among the best
// beam_size; the best beam_size of the others live on. What finishes has the
// score sum / n^length_penalty, n being its tokens with EOS and without the
// start token, and enters a pool of at most beam_size, from which the worst
// falls out. At max_new_tokens the best beam_size candidates finish, whatever
// their last token. Beyond the reference, a live beam that the caller ends (a
// stop sequence, a loop) finishes there and then, with the same score.
//
// Not thread-safe: the engine thread owns it.
class BeamSearch {
 public:
  // Neither is owned; both outlive this.
  BeamSearch(const SamplingParams& sampling, absl::Span<const int32_t> eos_ids)
      : sampling_(sampling), eos_ids_(eos_ids) {}

  // Candidates that a step looks at; no beam has more to offer.
  static int32_t NumCandidates(int32_t beam_size, size_t num_eos_ids) {
    return beam_size * (1 + static_cast<int32_t>(num_eos_ids));
  }

  // The tokens of a live beam, start token first. All are of one length.
  using TokensOf = absl::FunctionRef<absl::Span<const int32_t>(int32_t beam)>;
  // Why a live beam ends that goes on like this, if it does; not asked for EOS.
  using EndOf = absl::FunctionRef<std::optional<FinishReason>(const BeamStep&)>;

  // Takes a step. `candidates` are, in any order, at least the best
  // NumCandidates() of every live beam (fewer if it has no more), and come out
  // sorted. REQUIRES: there is one, and the search is not done.
  void Advance(absl::Span<BeamStep> candidates, TokensOf tokens_of,
               EndOf end_of);

  // The beams that live on, best first; none once it is done.
  absl::Span<const BeamStep> live() const { return live_; }
  bool is_done() const { return live_.empty(); }

  // What has finished, best first: at most beam_size, at least one once the
  // search is done.
  absl::Span<const Hypothesis> finished() const { return finished_; }

 private:
  void Finish(const BeamStep& step, FinishReason reason, TokensOf tokens_of);
  bool MayImprove(int32_t length) const;
  double Score(double sum_logprob, int32_t length) const;
  bool IsEos(int32_t token) const;

  const SamplingParams& sampling_;
  const absl::Span<const int32_t> eos_ids_;
  std::vector<BeamStep> live_;
  std::vector<Hypothesis> finished_;  // best first
  std::vector<double> scores_;        // theirs, unrounded
};

}  // namespace sheaf
