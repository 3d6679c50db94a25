// SPDX-License-Identifier: Apache-2.0

#include "engine/model/runner.h"

#include <algorithm>

#include "engine/model/decoder.h"
#include "engine/model/encoder.h"
#include "engine/model/head_finisher.h"
#include "engine/model/short_head.h"

namespace sheaf {

KvDims KvDimsOf(const Architecture& architecture, kernels::KvType type) {
  const StackShape& decoder = architecture.decoder;
  return {decoder.num_layers, decoder.head_dim, decoder.num_kv_heads,
          architecture.num_cross_kv_heads, type};
}

int64_t ActivationBytes(const Architecture& architecture,
                        const RunnerSizes& sizes) {
  const StackShape& encoder = architecture.encoder;
  const int64_t encoder_row = 2 * (int64_t{encoder.d_model} +
                                   encoder.q_columns() + encoder.kv_columns());
  const int64_t rows =
      std::max(sizes.max_encode_tokens, sizes.max_source_tokens);
  const int64_t position_rows = architecture.positions.is_computed()
                                    ? int64_t{sizes.max_source_tokens} +
                                          kMaxOvertakingTokens +
                                          sizes.max_new_tokens
                                    : 0;
  // Angles of rotations, which each encoder and the decoder have.
  const auto angles = [](const StackShape& shape, int64_t num_positions) {
    return static_cast<int64_t>(DistinctRotations(shape).size()) *
           num_positions * shape.head_dim;
  };
  const int64_t angle_floats =
      angles(encoder, int64_t{sizes.max_source_tokens} + kMaxOvertakingTokens) +
      angles(architecture.decoder, sizes.max_new_tokens);
  return static_cast<int64_t>(sizeof(float)) *
         (angle_floats + (rows + kMaxOvertakingTokens) * encoder_row +
          position_rows * encoder.d_model +
          int64_t{sizes.max_sequences} * architecture.vocab_size);
}

TransformerRunner::TransformerRunner(const Weights& weights, KvStorage& storage,
                                     ThreadTeam& team,
                                     const kernels::Kernels& kernels,
                                     const RunnerSizes& sizes,
                                     const Shortlist* shortlist)
    : weights_(weights),
      storage_(storage),
      team_(team),
      sizes_(sizes),
      encoders_{std::make_unique<Encoder>(weights, storage, team, kernels,
                                          sizes.max_encode_tokens,
                                          sizes.max_source_tokens),
                std::make_unique<Encoder>(weights, storage, team, kernels,
                                          kMaxOvertakingTokens,
                                          kMaxOvertakingTokens)},
      decoder_(std::make_unique<Decoder>(weights, storage, team, kernels,
                                         sizes.max_sequences,
                                         sizes.max_new_tokens)) {
  if (shortlist == nullptr) return;
  short_head_ = std::make_unique<ShortHead>(weights, *shortlist, team, kernels,
                                            sizes.max_sequences);
  decoder_->set_short_head(short_head_.get());
}

TransformerRunner::~TransformerRunner() = default;

void TransformerRunner::BeginEncode(EncodePass pass,
                                    absl::Span<const EncodeEntry> entries) {
  encoder(pass).Begin(entries);
}
bool TransformerRunner::AdvanceEncode(EncodePass pass, int64_t token_layers) {
  return encoder(pass).Advance(token_layers);
}
void TransformerRunner::DropEncode(EncodePass pass, int32_t entry_index) {
  encoder(pass).Drop(entry_index);
}
void TransformerRunner::CopySelfBlocks(absl::Span<const BlockCopy> copies) {
  team_.Run([&](const ThreadTeam::Member& member) {
    const auto [begin, end] = member.Share(static_cast<int64_t>(copies.size()));
    for (int64_t i = begin; i < end; ++i) {
      storage_.CopyBlock(copies[i].from, copies[i].to);
    }
  });
}
std::unique_ptr<OutputTokens> TransformerRunner::MakeOutputTokens(
    absl::Span<const int32_t> source) {
  return short_head_ == nullptr ? nullptr
                                : short_head_->MakeOutputTokens(source);
}
void TransformerRunner::Decode(absl::Span<const DecodeEntry> entries,
                               absl::Span<float> logits) {
  decoder_->Decode(entries, logits);
}
absl::Span<const float> TransformerRunner::encoder_output() const {
  return encoders_[static_cast<int>(EncodePass::kMain)]->output();
}
void TransformerRunner::set_decoder_observer(DecoderObserver* observer) {
  decoder_->set_observer(observer);
}

}  // namespace sheaf
