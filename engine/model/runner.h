// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/kv_storage.h"
#include "engine/model/decoder.h"
#include "engine/model/decoder_tables.h"
#include "engine/model/weights.h"
#include "engine/model_runner.h"
#include "engine/thread_team.h"

namespace sheaf {

// The largest work that a runner allocates memory for.
struct RunnerSizes {
  int32_t max_sequences = 64;        // in one decode step
  int32_t max_encode_tokens = 2048;  // in one pass, or one source's max length
  int32_t max_source_tokens = 512;
  int32_t max_new_tokens = 1024;  // positions of a sequence
};

class Encoder;
class Shortlist;

// Approximate bytes of a runner and of the engine's logits after a pass and a
// step of the largest size; it counts the large buffers.
int64_t ActivationBytes(const Architecture& architecture,
                        const RunnerSizes& sizes);

// Computes an encoder-decoder model on a thread team: the encoder over packed
// sources, the decoder over the running sequences, with K and V in KvStorage.
// The members of the team share each product, or, where PaysToSplitRows(), each
// computes some of the sources and sequences by itself.
// The constructor allocates the memory, except for buffers that grow to the
// largest step so far: the parts of long contexts and the narrow inputs of
// products.
//
// Not thread-safe: the engine thread owns it.
class TransformerRunner : public ModelRunner {
 public:
  // Owns none of them; all must outlive the runner. `storage` has the
  // dimensions of KvDimsOf(weights.architecture).
  // A null `shortlist` is none; else it fits the model.
  TransformerRunner(const Weights& weights, KvStorage& storage,
                    ThreadTeam& team, const kernels::Kernels& kernels,
                    const RunnerSizes& sizes, const Shortlist* shortlist);
  ~TransformerRunner() override;

  int32_t vocab_size() const override {
    return weights_.architecture.vocab_size;
  }
  absl::Span<const int32_t> eos_token_ids() const override {
    return weights_.architecture.tokens.eos_ids;
  }
  RunnerLimits limits() const override {
    return {sizes_.max_sequences, sizes_.max_encode_tokens};
  }
  int32_t alignment_shift() const override {
    return weights_.architecture.alignment.shift;
  }

  void BeginEncode(EncodePass pass,
                   absl::Span<const EncodeEntry> entries) override;
  bool AdvanceEncode(EncodePass pass, int64_t token_layers) override;
  void DropEncode(EncodePass pass, int32_t entry_index) override;
  void CopySelfBlocks(absl::Span<const BlockCopy> copies) override;
  std::unique_ptr<OutputTokens> MakeOutputTokens(
      absl::Span<const int32_t> source) override;
  void Decode(absl::Span<const DecodeEntry> entries,
              absl::Span<float> logits) override;

  // Null without a shortlist.
  const ShortHead* short_head() const { return short_head_.get(); }

  // The output of the main pass [tokens, d_model] after the final norm. Valid
  // from when AdvanceEncode() returns true until the next pass; for tests and
  // calibration.
  absl::Span<const float> encoder_output() const;

  // Sets what is shown the inputs of the decoder's attentions; null for none.
  // Not owned.
  void set_decoder_observer(DecoderObserver* observer);

  // Sets what is shown the weights of alignment heads; null for none. Not
  // owned.
  void set_alignment_observer(AlignmentObserver* observer);

 private:
  // A decoder that one member of the team runs by itself.
  struct SoloDecoder {
    SoloDecoder(const Weights& weights, const DecoderTables& tables,
                KvStorage& storage, const kernels::Kernels& kernels,
                int32_t max_rows)
        : decoder(weights, tables, storage, team, kernels, max_rows) {}
    ThreadTeam team = ThreadTeam(/*size=*/1);
    Decoder decoder;
  };

  Encoder& encoder(EncodePass pass) {
    return *encoders_[static_cast<int>(pass)];
  }

  // Fills ends_ with the ranges of entries that members decode by themselves.
  // Returns false if all are to decode everything together.
  bool SplitEntries(absl::Span<const DecodeEntry> entries);

  const Weights& weights_;
  KvStorage& storage_;
  ThreadTeam& team_;
  const RunnerSizes sizes_;
  const int64_t decode_bytes_;  // of weights that a step reads
  const int64_t row_work_;      // multiply-adds of a row, except attention
  std::unique_ptr<Encoder> encoders_[kNumEncodePasses];
  std::unique_ptr<ShortHead> short_head_;  // null: no shortlist
  const DecoderTables decoder_tables_;
  Decoder decoder_;
  bool has_observer_ = false;
  // One per member; none if this model's rows are never split.
  std::vector<std::unique_ptr<SoloDecoder>> solo_decoders_;
  std::vector<int64_t> work_;  // of each entry, in multiply-adds
  std::vector<int32_t> ends_;  // of the ranges of entries
};

KvDims KvDimsOf(const Architecture& architecture,
                kernels::KvType type = kernels::KvType::kF32);

}  // namespace sheaf
