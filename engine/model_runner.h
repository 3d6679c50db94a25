#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace sheaf {

// A pass of the encoder is over several sources and may take many steps. A
// short one may overtake a long one: two can be under way.
enum class EncodePass { kMain, kOvertaking };
constexpr int kNumEncodePasses = 2;
constexpr int32_t kMaxOvertakingTokens = 256;  // of all its sources

// One source to encode. The runner keeps no reference to it after BeginEncode()
// but to the block ids, which stay valid until the pass ends or drops it.
struct EncodeEntry {
  absl::Span<const int32_t> source;        // token ids, >= 1
  absl::Span<const int32_t> cross_blocks;  // where its cross K/V go
};

// What one sequence computes in a decode step: 1 token, or several known ones
// at its start (Request::start_tokens).
struct DecodeEntry {
  absl::Span<const int32_t> tokens;       // to compute, >= 1
  int32_t num_computed_tokens;            // position of tokens[0]
  absl::Span<const int32_t> self_blocks;  // room for the tokens included
  // The same span for all beams of a segment, which stand side by side.
  absl::Span<const int32_t> cross_blocks;
  int32_t source_len;
};

// A partly filled self-attention block that two beams go on from: one keeps it,
// the other gets its own.
struct BlockCopy {
  int32_t from, to;  // block ids
};

// The largest work that a runner has memory for.
struct RunnerLimits {
  int32_t max_sequences;      // in one decode step
  int32_t max_encode_tokens;  // in one main pass of several sources
};

// What the engine asks of a model. The engine thread makes all calls. All ids
// are within the vocabulary and all blocks within the storage: whoever submits
// checks, so nothing here can fail.
class ModelRunner {
 public:
  virtual ~ModelRunner() = default;

  virtual int32_t vocab_size() const = 0;
  virtual absl::Span<const int32_t> eos_token_ids() const = 0;
  virtual RunnerLimits limits() const = 0;

  // Starts a pass of the encoder over all `entries`, packed without padding.
  // REQUIRES: `pass` is not under way.
  virtual void BeginEncode(EncodePass pass,
                           absl::Span<const EncodeEntry> entries) = 0;

  // Goes on with the pass by about `token_layers` tokens times layers of work,
  // at least a little. True when it is done: then the cross K/V of every entry
  // are in its blocks. So a long pass is spread over several steps.
  virtual bool AdvanceEncode(EncodePass pass, int64_t token_layers) = 0;

  // Forgets one entry of the pass under way: its blocks are no longer touched.
  // The pass is over once it has forgotten all.
  virtual void DropEncode(EncodePass pass, int32_t entry_index) = 0;

  // Copies self K/V. No block is in two of the copies' `to`, nor in one's `to`
  // and another's `from`.
  virtual void CopySelfBlocks(absl::Span<const BlockCopy> copies) = 0;

  // Computes the entries' tokens, writes their self K/V in their blocks, and
  // fills `logits` [entries.size(), vocab_size] with what follows the last
  // token of each. What a row holds does not depend on the other entries.
  virtual void Decode(absl::Span<const DecodeEntry> entries,
                      absl::Span<float> logits) = 0;
};

}  // namespace sheaf
