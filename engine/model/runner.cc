// SPDX-License-Identifier: Apache-2.0

#include "engine/model/runner.h"

#include <algorithm>

#include "engine/model/encoder.h"
#include "engine/model/head_finisher.h"
#include "engine/model/row_split.h"
#include "engine/model/short_head.h"

namespace sheaf {
namespace {

// The multiply-adds of a row of the decoder, except attention.
int64_t RowWork(const Weights& weights) {
  const auto size = [](const Linear& linear) {
    return linear.K() * linear.num_columns();
  };
  int64_t work = size(weights.head);
  for (const DecoderLayer& layer : weights.decoder) {
    for (const Linear* each :
         {&layer.qkv, &layer.kv, &layer.self_out, &layer.cross_q,
          &layer.cross_out, &layer.feed_forward.in, &layer.feed_forward.out}) {
      work += size(*each);
    }
  }
  return work;
}

}  // namespace

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
      decode_bytes_(weights.decode_bytes()),
      row_work_(RowWork(weights)),
      encoders_{std::make_unique<Encoder>(weights, storage, team, kernels,
                                          sizes.max_encode_tokens,
                                          sizes.max_source_tokens),
                std::make_unique<Encoder>(weights, storage, team, kernels,
                                          kMaxOvertakingTokens,
                                          kMaxOvertakingTokens)},
      decoder_tables_(weights, kernels, sizes.max_new_tokens),
      decoder_(weights, decoder_tables_, storage, team, kernels,
               sizes.max_sequences) {
  if (shortlist != nullptr) {
    short_head_ = std::make_unique<ShortHead>(weights, *shortlist, team,
                                              kernels, sizes.max_sequences);
    decoder_.set_short_head(short_head_.get());
  }
  const int32_t members = team.size();
  if (members == 1 ||
      !PaysToSplitRows(decode_bytes_, sizes.max_sequences / members)) {
    return;
  }
  for (int32_t i = 0; i < members; ++i) {
    solo_decoders_.push_back(std::make_unique<SoloDecoder>(
        weights, decoder_tables_, storage, kernels, sizes.max_sequences));
    solo_decoders_.back()->decoder.set_short_head(short_head_.get());
  }
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
  const int64_t num_copies = static_cast<int64_t>(copies.size());
  const int32_t num_parts =
      static_cast<int32_t>(std::min<int64_t>(team_.size(), num_copies));
  team_.RunParts(num_parts, [&](int32_t part, int32_t) {
    for (int64_t i = num_copies * part / num_parts;
         i < num_copies * (part + 1) / num_parts; ++i) {
      storage_.CopyBlock(copies[i].from, copies[i].to);
    }
  });
}
std::unique_ptr<OutputTokens> TransformerRunner::MakeOutputTokens(
    absl::Span<const int32_t> source) {
  return short_head_ == nullptr ? nullptr
                                : short_head_->MakeOutputTokens(source);
}

bool TransformerRunner::SplitEntries(absl::Span<const DecodeEntry> entries) {
  const int32_t members = team_.NextCount();
  if (members == 1 || solo_decoders_.empty() || has_observer_) return false;
  const StackShape& shape = weights_.architecture.decoder;
  const int64_t context_token = 2 * shape.q_columns() * shape.num_layers;
  int64_t num_rows = 0;
  work_.clear();
  for (const DecodeEntry& entry : entries) {
    const int64_t rows = static_cast<int64_t>(entry.tokens.size());
    const int64_t context = entry.num_computed_tokens + entry.source_len;
    work_.push_back(rows * (row_work_ + context * context_token));
    num_rows += rows;
  }
  if (!PaysToSplitRows(decode_bytes_, num_rows / members)) {
    return false;
  }
  CutEvenly(work_, members, ends_);
  return ends_.size() > 1;
}

void TransformerRunner::Decode(absl::Span<const DecodeEntry> entries,
                               absl::Span<float> logits) {
  if (!SplitEntries(entries)) return decoder_.Decode(entries, logits);
  team_.RunParts(
      static_cast<int32_t>(ends_.size()), [&](int32_t part, int32_t) {
        const int64_t begin = part == 0 ? 0 : ends_[part - 1];
        const int64_t size = ends_[part] - begin;
        solo_decoders_[part]->decoder.Decode(
            entries.subspan(begin, size),
            logits.subspan(begin * vocab_size(), size * vocab_size()));
      });
}

absl::Span<const float> TransformerRunner::encoder_output() const {
  return encoders_[static_cast<int>(EncodePass::kMain)]->output();
}
void TransformerRunner::set_decoder_observer(DecoderObserver* observer) {
  has_observer_ = observer != nullptr;
  decoder_.set_observer(observer);
}
void TransformerRunner::set_alignment_observer(AlignmentObserver* observer) {
  decoder_.set_alignment_observer(observer);
  for (const std::unique_ptr<SoloDecoder>& solo : solo_decoders_) {
    solo->decoder.set_alignment_observer(observer);
  }
}

}  // namespace sheaf
