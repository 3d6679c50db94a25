#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/kv_storage.h"
#include "engine/model/t5_weights.h"
#include "engine/model_runner.h"
#include "engine/thread_team.h"

namespace sheaf {

// What the runner sizes its memory for.
struct T5RunnerLimits {
  int32_t max_sequences = 64;        // in one decode step
  int32_t max_encode_tokens = 2048;  // in one pass, or one source's max length
  int32_t max_source_tokens = 512;
  int32_t max_new_tokens = 1024;  // positions of a sequence
};

class T5Encoder;
class T5Decoder;

// Computes a T5 model on a thread team: the encoder over packed sources, the
// decoder over the running sequences, with K and V in KvStorage. All memory is
// taken by the constructor.
//
// Not thread-safe: the engine thread owns it.
class T5Runner : public ModelRunner {
 public:
  // None is owned; all outlive the runner. `storage` has the dimensions of
  // KvDimsOf(weights.config).
  T5Runner(const T5Weights& weights, KvStorage& storage, ThreadTeam& team,
           const kernels::Kernels& kernels, const T5RunnerLimits& limits);
  ~T5Runner() override;

  int32_t vocab_size() const override { return weights_.config.vocab_size; }
  int32_t start_token_id() const override {
    return weights_.config.decoder_start_token_id;
  }
  absl::Span<const int32_t> eos_token_ids() const override {
    return weights_.config.eos_token_ids;
  }

  void BeginEncode(absl::Span<const EncodeEntry> entries) override;
  bool AdvanceEncode(int64_t token_layers) override;
  void DropEncode(int32_t entry_index) override;
  void CopySelfBlocks(absl::Span<const BlockCopy> copies) override;
  void Decode(absl::Span<const DecodeEntry> entries,
              absl::Span<float> logits) override;

  // The encoder's output [tokens of the pass, d_model] after the final norm,
  // once AdvanceEncode() has returned true and until the next pass: for tests.
  absl::Span<const float> encoder_output() const;

 private:
  const T5Weights& weights_;
  KvStorage& storage_;
  ThreadTeam& team_;
  std::unique_ptr<T5Encoder> encoder_;
  std::unique_ptr<T5Decoder> decoder_;
};

KvDims KvDimsOf(const T5Config& config,
                kernels::KvType type = kernels::KvType::kF32);

}  // namespace sheaf
