#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace sheaf {

using RequestId = uint64_t;

// What shapes the choice of the next token. Checked before it gets here: the
// server's door refuses what is out of range.
struct SamplingParams {
  int32_t max_new_tokens = 256;  // >= 1; target_prefix counts
  int32_t min_new_tokens = 0;    // EOS is not chosen before
  int32_t beam_size = 1;
  int32_t num_hypotheses = 1;  // <= beam_size
  float length_penalty = 1.0f;
  float repetition_penalty = 1.0f;   // > 0; 1 changes nothing
  int32_t no_repeat_ngram_size = 0;  // 0: off
  float temperature = 0.0f;          // 0: greedy
  int32_t top_k = 0;                 // 0: all tokens
  float top_p = 1.0f;                // 1: all tokens
  uint64_t seed = 0;
  std::vector<int32_t> target_prefix;      // forced first tokens
  std::vector<int32_t> suppressed_tokens;  // never chosen
};

enum class FinishReason { kEos, kLength, kStopSequence };

// One finished output of a segment.
struct Hypothesis {
  std::vector<int32_t> tokens;  // without the start token and EOS
  // Sum of log-probabilities / length^length_penalty. EOS counts in both;
  // tokens of target_prefix add 0 to the sum and count in the length.
  float score = 0;
  FinishReason finish_reason = FinishReason::kEos;
};

// How the engine speaks to whoever sent a request. The engine thread makes all
// calls: an implementation notes what it is told, wakes whom it must, and
// returns; it never blocks.
class TokenSink {
 public:
  virtual ~TokenSink() = default;

  // Segment `segment_index` goes on with `tokens`, which are never taken back.
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
  std::vector<std::vector<int32_t>> segments;
  SamplingParams sampling;
  absl::Time deadline = absl::InfiniteFuture();
  TokenSink* sink = nullptr;  // not owned; lives until OnFinished() returned
};

}  // namespace sheaf
