// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "engine/output_tokens.h"

namespace sheaf {

// A pass of the encoder computes several sources and may take many steps. A
// short pass may overtake a long one, so two passes can be under way.
enum class EncodePass { kMain, kOvertaking };
constexpr int kNumEncodePasses = 2;
constexpr int32_t kMaxOvertakingTokens = 256;  // of all sources of the pass

// One source to encode. After BeginEncode() the runner refers only to the block
// ids, which stay valid until the pass ends or drops the entry.
struct EncodeEntry {
  absl::Span<const int32_t> source;        // token ids, >= 1
  absl::Span<const int32_t> cross_blocks;  // where its cross K/V go
};

// The tokens that one sequence computes in a decode step: one, or several known
// ones at its beginning (Request::start_tokens).
struct DecodeEntry {
  absl::Span<const int32_t> tokens;       // to compute, >= 1
  int32_t num_computed_tokens;            // position of tokens[0]
  absl::Span<const int32_t> self_blocks;  // with space for the tokens
  // The same span for all beams of a segment, which are adjacent entries.
  absl::Span<const int32_t> cross_blocks;
  int32_t source_len;
  // From MakeOutputTokens(), the same for all beams of a segment; null: the
  // whole vocabulary.
  const OutputTokens* output_tokens = nullptr;
  // [tokens.size()]: gets, for each token, the position in [first_source,
  // end_source) to which the model attends most while the token is its input.
  // Null: nothing is computed.
  int32_t* attended = nullptr;
  int32_t first_source = 0, end_source = 0;  // not empty if `attended` is set
};

// Copies a partly filled self-attention block that two beams continue. One beam
// keeps it, and the other gets its own.
struct BlockCopy {
  int32_t from, to;  // block ids
};

// The largest work that a runner has memory for.
struct RunnerLimits {
  int32_t max_sequences;      // in one decode step
  int32_t max_encode_tokens;  // in one main pass of several sources
};

// The computations that the engine needs of a model. The engine thread makes
// all calls. Nothing here can fail, because the caller of Engine::Submit() has
// checked that all ids are in the vocabulary, and all blocks are in the
// storage.
class ModelRunner {
 public:
  virtual ~ModelRunner() = default;

  virtual int32_t vocab_size() const = 0;
  virtual absl::Span<const int32_t> eos_token_ids() const = 0;
  virtual RunnerLimits limits() const = 0;

  // The token whose translation a token attends to (DecodeEntry::attended): 1
  // for the input itself, 0 for the token after it, which is being predicted.
  virtual int32_t alignment_shift() const { return 1; }

  // Starts a pass of the encoder over all `entries`, packed without padding.
  // REQUIRES: `pass` is not under way.
  virtual void BeginEncode(EncodePass pass,
                           absl::Span<const EncodeEntry> entries) = 0;

  // Advances the pass by about `token_layers` tokens times layers of work, at
  // least by one unit. Returns true when the pass is done; then the cross K/V
  // of every entry are in its blocks.
  virtual bool AdvanceEncode(EncodePass pass, int64_t token_layers) = 0;

  // Drops one entry of the pass under way; its blocks are no longer touched.
  // The pass ends when all entries are dropped.
  virtual void DropEncode(EncodePass pass, int32_t entry_index) = 0;

  // Copies self K/V. Every `to` is a different block, and none is the `from` of
  // another copy.
  virtual void CopySelfBlocks(absl::Span<const BlockCopy> copies) = 0;

  // The tokens that the output for this source may have; null: the whole
  // vocabulary. At most max_sequences of them exist at a time.
  virtual std::unique_ptr<OutputTokens> MakeOutputTokens(
      absl::Span<const int32_t> /*source*/) {
    return nullptr;
  }

  // Computes the tokens of the entries, writes their self K/V to their blocks,
  // and fills `logits` [entries.size(), vocab_size] for the token after the
  // last one of each entry. A row does not depend on the other entries. If the
  // entry has output_tokens, its row begins with one logit for each of them,
  // and the rest of the row is undefined.
  virtual void Decode(absl::Span<const DecodeEntry> entries,
                      absl::Span<float> logits) = 0;
};

}  // namespace sheaf
