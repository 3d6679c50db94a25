#include "engine/model/t5_runner.h"

#include <algorithm>

#include "engine/model/t5_decoder.h"
#include "engine/model/t5_encoder.h"

namespace sheaf {

KvDims KvDimsOf(const T5Config& config, kernels::KvType type) {
  return {config.num_decoder_layers, config.d_kv, config.num_kv_heads,
          config.num_cross_kv_heads, type};
}

int64_t ActivationBytes(const T5Config& config, const T5RunnerLimits& limits) {
  const int64_t inner = int64_t{config.num_heads} * config.d_kv;
  const int64_t encoder_row = 2 * int64_t{config.d_model} + 4 * inner;
  const int64_t rows =
      std::max(limits.max_encode_tokens, limits.max_source_tokens);
  return static_cast<int64_t>(sizeof(float)) *
         ((rows + kMaxOvertakingTokens) * encoder_row +
          int64_t{limits.max_sequences} * config.vocab_size);
}

T5Runner::T5Runner(const T5Weights& weights, KvStorage& storage,
                   ThreadTeam& team, const kernels::Kernels& kernels,
                   const T5RunnerLimits& limits)
    : weights_(weights),
      storage_(storage),
      team_(team),
      limits_(limits),
      encoders_{std::make_unique<T5Encoder>(weights, storage, team, kernels,
                                            limits.max_encode_tokens,
                                            limits.max_source_tokens),
                std::make_unique<T5Encoder>(weights, storage, team, kernels,
                                            kMaxOvertakingTokens,
                                            kMaxOvertakingTokens)},
      decoder_(std::make_unique<T5Decoder>(weights, storage, team, kernels,
                                           limits.max_sequences,
                                           limits.max_new_tokens)) {}

T5Runner::~T5Runner() = default;

void T5Runner::BeginEncode(EncodePass pass,
                           absl::Span<const EncodeEntry> entries) {
  encoder(pass).Begin(entries);
}
bool T5Runner::AdvanceEncode(EncodePass pass, int64_t token_layers) {
  return encoder(pass).Advance(token_layers);
}
void T5Runner::DropEncode(EncodePass pass, int32_t entry_index) {
  encoder(pass).Drop(entry_index);
}
void T5Runner::CopySelfBlocks(absl::Span<const BlockCopy> copies) {
  team_.Run([&](const ThreadTeam::Member& member) {
    const auto [begin, end] = member.Share(static_cast<int64_t>(copies.size()));
    for (int64_t i = begin; i < end; ++i) {
      storage_.CopyBlock(copies[i].from, copies[i].to);
    }
  });
}
void T5Runner::Decode(absl::Span<const DecodeEntry> entries,
                      absl::Span<float> logits) {
  decoder_->Decode(entries, logits);
}
absl::Span<const float> T5Runner::encoder_output() const {
  return encoders_[static_cast<int>(EncodePass::kMain)]->output();
}
void T5Runner::set_decoder_observer(T5DecoderObserver* observer) {
  decoder_->set_observer(observer);
}

}  // namespace sheaf
