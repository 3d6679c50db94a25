// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/monotonic_time.h"
#include "base/token_lists.h"
#include "engine/stop_condition.h"

namespace sheaf {

class ConstraintSet;

using RequestId = uint64_t;

// The maximum beam_size that a request may have.
inline constexpr int32_t kMaxBeamSize = 16;

// When a beam search with beam_size finished hypotheses ends. Every search ends
// when no live beam is left, and at max_new_tokens. The comments give the
// reference's early_stopping.
enum class SearchEnd {
  kImmediately,       // true
  kNoLiveBeamBetter,  // false: no live beam's present score beats the worst
                      // finished one
  kNoLiveBeamCanWin,  // "never": nor would its score at the most favourable
                      // length that it can still reach
};

// Which byte tokens may be generated (utf8_rule.h).
enum class OutputText {
  // All of them.
  kRaw,
  // Those that form whole characters; of control characters only tab, line
  // breaks and those of the source.
  kText,
  // As kText, without tab and line breaks.
  kLine,
};

// Parameters of the choice of the next token. All values are in range, because
// the server's request reader refuses others.
struct SamplingParams {
  int32_t max_new_tokens = 256;  // >= 1; forced start tokens count
  int32_t min_new_tokens = 0;    // EOS is not chosen earlier
  int32_t beam_size = 1;       // 1 to kMaxBeamSize; more than 1: temperature 0
  int32_t num_hypotheses = 1;  // <= beam_size
  SearchEnd search_end = SearchEnd::kNoLiveBeamBetter;
  float length_penalty = 1.0f;
  float repetition_penalty = 1.0f;   // > 0; 1 changes nothing
  int32_t no_repeat_ngram_size = 0;  // 0: off
  float temperature = 0.0f;          // 0: greedy
  int32_t top_k = 0;                 // 0: all tokens
  float top_p = 1.0f;                // 1: all tokens
  float min_p = 0.0f;  // relative to the most likely token; 0: all tokens
  uint64_t seed = 0;
  std::vector<int32_t> suppressed_tokens;  // never chosen
  // Not chosen as the first token that nothing forces.
  std::vector<int32_t> first_suppressed_tokens;
  // Runs of tokens that no output contains. The last token of a run is not
  // chosen after the others. A run of a single end token has no effect. Null:
  // there are none. Shared by the requests of a model.
  std::shared_ptr<const std::vector<std::vector<int32_t>>> bad_words;
  // The token after the start token, unless start_tokens has one there, and the
  // one at the last place. Both have log-probability 0; -1: any token.
  int32_t forced_first_token = -1;
  int32_t forced_last_token = -1;
  OutputText output_text = OutputText::kRaw;
  // Whether log-probabilities of beams are normalized again after the rules.
  bool is_renormalized = false;
  bool has_loop_guard = false;  // ends a hypothesis that IsLooping()
};

// The ids at the beginning and at the end of a source that are no part of its
// text: a prompt, language tags, the end token.
struct SourceMargins {
  int32_t leading = 0;
  int32_t trailing = 0;
};

enum class FinishReason { kEos, kLength, kStopSequence, kRepetition };

// One finished output of a segment.
struct Hypothesis {
  std::vector<int32_t> tokens;  // without the start token and EOS
  // Sum of log-probabilities / length^length_penalty. EOS counts in both;
  // forced tokens add 0 to the sum and count in the length. As in the
  // reference, beams add up the log-probabilities after the rules.
  float score = 0;
  FinishReason finish_reason = FinishReason::kEos;
  // The score that a length_penalty of 1 would give.
  float mean_logprob = 0;
  // For each token the index of the source token that it comes from, according
  // to the model's cross-attention; -1: unknown. Empty unless asked for.
  std::vector<int32_t> source_positions = {};
};

// Receives the output of a request. The engine thread makes all calls. An
// implementation stores what it is given, wakes other threads and returns; it
// never blocks.
class TokenSink {
 public:
  virtual ~TokenSink() = default;

  // The request's first segment has left the queue after `queued`, and is being
  // encoded. Not called if the request ends earlier.
  virtual void OnStarted(absl::Duration /*queued*/) {}

  // Appends `tokens` to segment `segment_index`. They are never taken back,
  // because every beam that may still win contains them.
  virtual void OnTokens(int32_t segment_index,
                        absl::Span<const int32_t> tokens) = 0;

  // The segment is done. `hypotheses` are sorted, best first. The tokens of the
  // first one are those that OnTokens() has delivered.
  virtual void OnSegmentFinished(int32_t segment_index,
                                 std::vector<Hypothesis> hypotheses) = 0;

  // The request has ended and its KV blocks are free. OK if all segments
  // finished; else CANCELLED, DEADLINE_EXCEEDED or INTERNAL. This is the last
  // call, made exactly once for every request that Submit() accepted.
  virtual void OnFinished(const absl::Status& status) = 0;
};

// A request of a client: one or more sources, which are decoded independently
// of each other. Immutable once submitted.
struct Request {
  // Encoder inputs, at least one unless is_open, used exactly as given. Each
  // has 1 to max_source_tokens ids of the vocabulary.
  TokenLists segments;
  // First tokens of the decoder, at least one: the start token, which is never
  // part of the output, then forced ones. Forced tokens are part of the output
  // and count in max_new_tokens, which is larger than their number.
  std::vector<int32_t> start_tokens;
  SamplingParams sampling;
  // Whether hypotheses have source_positions. They are not in the margins.
  bool wants_alignment = false;
  SourceMargins source_margins;  // of each source; may cover all of it
  // Ends each hypothesis that meets it, with the token that does; null: none.
  std::shared_ptr<const StopCondition> stop;
  MonotonicTime deadline = MonotonicTime::InfiniteFuture();
  // Whether more segments may follow (Engine::Extend). An open request does not
  // end when all of its present segments are finished.
  bool is_open = false;
  // For an open request: the maximum number of tokens of a later segment with
  // the request's sampling params.
  int32_t max_segment_tokens = 0;
  // Whether the client has asked for this in a request that has ended. Its
  // times are those of no request, so they are not recorded.
  bool is_follow_up = false;
  // Callers share the lane in proportion to their weights (scheduler.h).
  std::string caller;
  int32_t weight = 1;         // >= 1
  TokenSink* sink = nullptr;  // not owned; lives until OnFinished() returns
};

// More segments for an open request (Engine::Extend). They are admitted before
// those of the request that still wait, because the text after the segments
// that they follow from waits for them.
struct Extension {
  TokenLists segments = {};
  // False: these segments, which may be none, are the last.
  bool is_open = false;
  // Ends hypotheses of these segments, as Request::stop does those of the first
  // ones; null: none.
  std::shared_ptr<const StopCondition> stop = nullptr;
  // The sampling params of these segments; null: Request::sampling.
  std::shared_ptr<const SamplingParams> sampling = nullptr;
  // The terms that the output of each of these segments shall contain
  // (beam_search.h); null: none. Needs beam_size >= 2. These outputs have the
  // whole vocabulary, also with a vocabulary shortlist.
  std::shared_ptr<const ConstraintSet> constraints = nullptr;
};

}  // namespace sheaf
