#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/kv_storage.h"
#include "engine/model/weights.h"
#include "engine/model_runner.h"
#include "engine/thread_team.h"

namespace sheaf {

// What the runner sizes its memory for.
struct RunnerSizes {
  int32_t max_sequences = 64;        // in one decode step
  int32_t max_encode_tokens = 2048;  // in one pass, or one source's max length
  int32_t max_source_tokens = 512;
  int32_t max_new_tokens = 1024;  // positions of a sequence
};

class Encoder;
class Decoder;
class DecoderObserver;

// Bytes that a runner and the engine's logits take, once a pass and a step of
// the greatest size have been: about, for the larger of the buffers.
int64_t ActivationBytes(const T5Config& config, const RunnerSizes& sizes);

// Computes a T5 model on a thread team: the encoder over packed sources, the
// decoder over the running sequences, with K and V in KvStorage. The
// constructor takes the memory, but for what grows until a step as large has
// been: a part of attention a context, and the products' narrow inputs.
//
// Not thread-safe: the engine thread owns it.
class TransformerRunner : public ModelRunner {
 public:
  // None is owned; all outlive the runner. `storage` has the dimensions of
  // KvDimsOf(weights.config).
  TransformerRunner(const Weights& weights, KvStorage& storage,
                    ThreadTeam& team, const kernels::Kernels& kernels,
                    const RunnerSizes& sizes);
  ~TransformerRunner() override;

  int32_t vocab_size() const override { return weights_.config.vocab_size; }
  int32_t start_token_id() const override {
    return weights_.config.decoder_start_token_id;
  }
  absl::Span<const int32_t> eos_token_ids() const override {
    return weights_.config.eos_token_ids;
  }
  RunnerLimits limits() const override {
    return {sizes_.max_sequences, sizes_.max_encode_tokens};
  }

  void BeginEncode(EncodePass pass,
                   absl::Span<const EncodeEntry> entries) override;
  bool AdvanceEncode(EncodePass pass, int64_t token_layers) override;
  void DropEncode(EncodePass pass, int32_t entry_index) override;
  void CopySelfBlocks(absl::Span<const BlockCopy> copies) override;
  void Decode(absl::Span<const DecodeEntry> entries,
              absl::Span<float> logits) override;

  // The main pass' output [tokens, d_model] after the final norm, once
  // AdvanceEncode() has returned true and until the next one: for tests.
  absl::Span<const float> encoder_output() const;

  // Shows it what the decoder's attentions read; null: nobody. Not owned.
  void set_decoder_observer(DecoderObserver* observer);

 private:
  Encoder& encoder(EncodePass pass) {
    return *encoders_[static_cast<int>(pass)];
  }

  const Weights& weights_;
  KvStorage& storage_;
  ThreadTeam& team_;
  const RunnerSizes sizes_;
  std::unique_ptr<Encoder> encoders_[kNumEncodePasses];
  std::unique_ptr<Decoder> decoder_;
};

KvDims KvDimsOf(const T5Config& config,
                kernels::KvType type = kernels::KvType::kF32);

}  // namespace sheaf
