#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/monotonic_time.h"
#include "base/token_lists.h"
#include "engine/stop_condition.h"

namespace sheaf {

using RequestId = uint64_t;

// The widest beam search that may be asked for.
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
  kRaw,   // all
  kText,  // those that make whole characters, and no control characters except
          // tab, line breaks and those of the source
  kLine,  // the same without tab and line breaks
};

// What shapes the choice of the next token. Checked before it gets here: the
// server's request reader refuses what is out of range.
struct SamplingParams {
  int32_t max_new_tokens = 256;  // >= 1; forced start tokens count
  int32_t min_new_tokens = 0;    // EOS is not chosen before
  int32_t beam_size = 1;       // 1 to kMaxBeamSize; more than 1: temperature 0
  int32_t num_hypotheses = 1;  // <= beam_size
  SearchEnd search_end = SearchEnd::kNoLiveBeamBetter;
  float length_penalty = 1.0f;
  float repetition_penalty = 1.0f;   // > 0; 1 changes nothing
  int32_t no_repeat_ngram_size = 0;  // 0: off
  float temperature = 0.0f;          // 0: greedy
  int32_t top_k = 0;                 // 0: all tokens
  float top_p = 1.0f;                // 1: all tokens
  float min_p = 0.0f;  // of the likeliest token's probability; 0: all tokens
  uint64_t seed = 0;
  std::vector<int32_t> suppressed_tokens;  // never chosen
  // Not chosen as the first token that nothing forces.
  std::vector<int32_t> first_suppressed_tokens;
  // Runs of tokens that no output has: the last token of each is not chosen
  // after the others. A run that is one end token has no effect. Null: none.
  // Shared by the requests of a model.
  std::shared_ptr<const std::vector<std::vector<int32_t>>> bad_words;
  // The token after the start token, unless start_tokens has one there, and the
  // one at the last place. Both have log-probability 0; -1: any token.
  int32_t forced_first_token = -1;
  int32_t forced_last_token = -1;
  OutputText output_text = OutputText::kRaw;
  // The log-probabilities of beams are normalized again after the rules.
  bool is_renormalized = false;
  bool has_loop_guard = false;  // ends what IsLooping() (loop_guard.h)
};

enum class FinishReason { kEos, kLength, kStopSequence, kRepetition };

// One finished output of a segment.
struct Hypothesis {
  std::vector<int32_t> tokens;  // without the start token and EOS
  // Sum of log-probabilities / length^length_penalty. EOS counts in both;
  // forced tokens add 0 to the sum and count in the length. Beams sum what the
  // rules made of the log-probabilities, as the reference does.
  float score = 0;
  FinishReason finish_reason = FinishReason::kEos;
};

// How the engine speaks to whoever sent a request. The engine thread makes all
// calls: an implementation notes what it is told, wakes whom it must, and
// returns; it never blocks.
class TokenSink {
 public:
  virtual ~TokenSink() = default;

  // The request's first segment left the queue after this long, and is encoded
  // now. No call if the request ends before.
  virtual void OnStarted(absl::Duration /*queued*/) {}

  // Segment `segment_index` goes on with `tokens`, which are never taken back:
  // every beam that may still win has them.
  virtual void OnTokens(int32_t segment_index,
                        absl::Span<const int32_t> tokens) = 0;

  // The segment is done: its hypotheses, best first. The tokens of the first
  // are those that OnTokens() brought.
  virtual void OnSegmentFinished(int32_t segment_index,
                                 std::vector<Hypothesis> hypotheses) = 0;

  // The request has ended and its KV blocks are free. OK if all segments
  // finished; else CANCELLED, DEADLINE_EXCEEDED or INTERNAL. The last call,
  // made exactly once for every request that Submit() took.
  virtual void OnFinished(const absl::Status& status) = 0;
};

// What a client asked for: one or more sources, each decoded by itself in the
// common batch. Immutable once submitted.
struct Request {
  // Encoder inputs, used exactly as given; each has 1 to max_source_tokens ids
  // within the vocabulary. At least one.
  TokenLists segments;
  // First tokens of the decoder, at least one: the start token, which is never
  // part of the output, then forced ones. Forced tokens are part of the output
  // and count in max_new_tokens, which is larger than their number.
  std::vector<int32_t> start_tokens;
  SamplingParams sampling;
  // Ends each hypothesis that meets it, with the token that does; null: none.
  // Engine::Extend() may replace it.
  std::shared_ptr<const StopCondition> stop;
  MonotonicTime deadline = MonotonicTime::InfiniteFuture();
  // More segments may follow (Engine::Extend): the request goes on, though all
  // that it has are finished, until it is told that no more will come.
  bool is_open = false;
  // Of an open request: tokens of the longest segment that may follow.
  int32_t max_segment_tokens = 0;
  TokenSink* sink = nullptr;  // not owned; lives until OnFinished() returned
};

// More segments for an open request (Engine::Extend).
struct Extension {
  TokenLists segments = {};
  // False: these segments, which may be none, are the last.
  bool is_open = false;
  // Replaces Request::stop.
  std::shared_ptr<const StopCondition> stop = nullptr;
};

}  // namespace sheaf
