#include "engine/model/t5_decoder.h"

#include <algorithm>
#include <cmath>

#include "engine/check.h"

namespace sheaf {

T5Decoder::T5Decoder(const T5Weights& weights, KvStorage& storage,
                     ThreadTeam& team, const kernels::Kernels& kernels,
                     int32_t max_rows, int32_t max_positions,
                     int32_t max_source_tokens)
    : weights_(weights),
      storage_(storage),
      team_(team),
      kernels_(kernels),
      bias_(weights.decoder_bias, weights.config.num_heads,
            weights.config.relative_attention_num_buckets,
            weights.config.relative_attention_max_distance,
            /*is_bidirectional=*/false, max_positions),
      max_rows_(max_rows),
      feed_forward_(weights.config, max_rows) {
  const T5Config& config = weights.config;
  const int64_t rows = max_rows;
  const int64_t inner = int64_t{config.num_heads} * config.d_kv;
  x_ = AlignedBuffer(rows * config.d_model);
  normed_ = AlignedBuffer(rows * config.d_model);
  qkv_ = AlignedBuffer(rows * (config.num_heads + 2 * config.num_kv_heads) *
                       config.d_kv);
  attended_ = AlignedBuffer(rows * inner);
  rows_.reserve(max_rows);
  const int32_t largest_group =
      config.num_heads /
      std::min(config.num_kv_heads, config.num_cross_kv_heads);
  const int64_t context =
      std::max(max_positions, max_source_tokens) + int64_t{kernels::kPanel};
  for (int32_t i = 0; i < team.size(); ++i) {
    scores_.emplace_back(largest_group * context);
  }
}

void T5Decoder::Decode(absl::Span<const DecodeEntry> entries,
                       absl::Span<float> logits) {
  const auto flush = [&] {
    team_.Run([this](const ThreadTeam::Member& member) { RunRows(member); });
    rows_.clear();
  };
  rows_.clear();
  for (size_t i = 0; i < entries.size(); ++i) {
    const DecodeEntry& entry = entries[i];
    for (size_t j = 0; j < entry.tokens.size(); ++j) {
      const bool is_last = j + 1 == entry.tokens.size();
      rows_.push_back(
          {&entry, entry.tokens[j],
           entry.num_computed_tokens + static_cast<int32_t>(j),
           is_last ? logits.data() + i * weights_.config.vocab_size : nullptr});
      SHEAF_CHECK(rows_.back().position < bias_.max_len());
      if (static_cast<int32_t>(rows_.size()) == max_rows_) flush();
    }
  }
  if (!rows_.empty()) flush();
}

void T5Decoder::RunRows(const ThreadTeam::Member& member) {
  const T5Config& config = weights_.config;
  const int64_t d_model = config.d_model;
  const int32_t num_rows = static_cast<int32_t>(rows_.size());
  const auto [begin, end] = member.Share(num_rows);
  for (int64_t row = begin; row < end; ++row) {
    weights_.Embed(rows_[row].token, x_.data() + row * d_model);
  }
  member.Barrier();
  for (int32_t i = 0; i < config.num_decoder_layers; ++i) {
    const T5DecoderLayer& layer = weights_.decoder[i];
    NormRows(member, kernels_, config, layer.self_norm, x_.data(), num_rows,
             normed_.data());
    ShowInput(member, i, Attention::kSelf);
    layer.qkv.Run(member, normed_.data(), d_model, num_rows, qkv_.data(),
                  layer.qkv.num_columns(), /*accumulate=*/false);
    member.Barrier();
    SelfAttention(member, i);
    member.Barrier();
    layer.self_out.Run(member, attended_.data(), layer.self_out.K(), num_rows,
                       x_.data(), d_model, /*accumulate=*/true);
    member.Barrier();

    NormRows(member, kernels_, config, layer.cross_norm, x_.data(), num_rows,
             normed_.data());
    ShowInput(member, i, Attention::kCross);
    layer.cross_q.Run(member, normed_.data(), d_model, num_rows, qkv_.data(),
                      layer.cross_q.num_columns(), /*accumulate=*/false);
    member.Barrier();
    CrossAttention(member, i);
    member.Barrier();
    layer.cross_out.Run(member, attended_.data(), layer.cross_out.K(), num_rows,
                        x_.data(), d_model, /*accumulate=*/true);
    member.Barrier();

    AddFeedForward(member, kernels_, config, layer.feed_forward, x_.data(),
                   num_rows, normed_.data(), feed_forward_);
  }
  WriteLogits(member);
}

void T5Decoder::ShowInput(const ThreadTeam::Member& member, int32_t layer_index,
                          Attention attention) {
  if (observer_ == nullptr || member.index() != 0) return;
  observer_->OnAttentionInput(
      layer_index, attention,
      {normed_.data(), rows_.size() * weights_.config.d_model});
}

void T5Decoder::WriteSelfKv(int32_t layer_index, int32_t row, int32_t kv_head) {
  const T5Config& config = weights_.config;
  const int64_t kv = int64_t{config.num_kv_heads} * config.d_kv;
  const int64_t inner = int64_t{config.num_heads} * config.d_kv;
  const float* k = qkv_.data() + row * (inner + 2 * kv) + inner +
                   int64_t{kv_head} * config.d_kv;
  storage_.Write(Attention::kSelf, layer_index, kv_head,
                 rows_[row].entry->self_blocks.data(), rows_[row].position, k,
                 k + kv);
}

// One member has a KV head of a sequence for all rows of the sequence, so that
// a row finds the keys of those before it written.
void T5Decoder::SelfAttention(const ThreadTeam::Member& member,
                              int32_t layer_index) {
  const T5Config& config = weights_.config;
  const int32_t dim = config.d_kv;
  const int32_t num_kv_heads = config.num_kv_heads;
  const int32_t group = config.num_heads / num_kv_heads;
  const int64_t inner = int64_t{config.num_heads} * dim;
  const int64_t stride = inner + int64_t{2} * num_kv_heads * dim;
  const int32_t num_rows = static_cast<int32_t>(rows_.size());
  int64_t pair = 0;  // counts (sequence, KV head)
  for (int32_t first = 0, end = 0; first < num_rows; first = end) {
    while (end < num_rows && rows_[end].entry == rows_[first].entry) ++end;
    for (int32_t kv_head = 0; kv_head < num_kv_heads; ++kv_head) {
      if (pair++ % member.count() != member.index()) continue;
      const int64_t head_at = int64_t{kv_head} * group * dim;
      for (int32_t row = first; row < end; ++row) {
        WriteSelfKv(layer_index, row, kv_head);
        kernels_.attend_decode(
            {.q = qkv_.data() + row * stride + head_at,
             .q_stride = dim,
             .out = attended_.data() + row * inner + head_at,
             .out_stride = dim,
             .num_rows = group,
             .dim = dim,
             .kv = storage_.View(Attention::kSelf, layer_index, kv_head,
                                 rows_[row].entry->self_blocks.data()),
             .context_len = rows_[row].position + 1,
             .bias = bias_.ForQuery(kv_head * group, rows_[row].position),
             .bias_stride = bias_.row_stride(),
             .scores = scores_[member.index()].data()});
      }
    }
  }
}

void T5Decoder::CrossAttention(const ThreadTeam::Member& member,
                               int32_t layer_index) {
  const T5Config& config = weights_.config;
  const int32_t dim = config.d_kv;
  const int32_t num_kv_heads = config.num_cross_kv_heads;
  const int32_t group = config.num_heads / num_kv_heads;
  const int64_t inner = int64_t{config.num_heads} * dim;
  const int64_t pairs = static_cast<int64_t>(rows_.size()) * num_kv_heads;
  for (int64_t i = member.index(); i < pairs; i += member.count()) {
    const int64_t row = i / num_kv_heads;
    const int32_t kv_head = static_cast<int32_t>(i % num_kv_heads);
    const int64_t head_at = row * inner + int64_t{kv_head} * group * dim;
    kernels_.attend_decode(
        {.q = qkv_.data() + head_at,
         .q_stride = dim,
         .out = attended_.data() + head_at,
         .out_stride = dim,
         .num_rows = group,
         .dim = dim,
         .kv = storage_.View(Attention::kCross, layer_index, kv_head,
                             rows_[row].entry->cross_blocks.data()),
         .context_len = rows_[row].entry->source_len,
         .bias = nullptr,
         .bias_stride = 0,
         .scores = scores_[member.index()].data()});
  }
}

// The head's product for the rows that are asked about: they are moved
// together first.
void T5Decoder::WriteLogits(const ThreadTeam::Member& member) {
  const T5Config& config = weights_.config;
  const int64_t d_model = config.d_model;
  const float scale =
      config.is_tied ? 1.0f / std::sqrt(static_cast<float>(d_model)) : 1.0f;
  // Every member finds the same places; each norms its own.
  int32_t num_asked = 0;
  float* first_logits = nullptr;
  for (size_t row = 0; row < rows_.size(); ++row) {
    if (rows_[row].logits == nullptr) continue;
    if (num_asked == 0) first_logits = rows_[row].logits;
    if (num_asked % member.count() == member.index()) {
      float* normed = normed_.data() + num_asked * d_model;
      kernels_.rms_norm(x_.data() + row * d_model, d_model, 1, config.d_model,
                        weights_.decoder_norm.data(), config.layer_norm_epsilon,
                        normed);
      if (config.is_tied) {
        for (int64_t i = 0; i < d_model; ++i) normed[i] *= scale;
      }
    }
    ++num_asked;
  }
  member.Barrier();
  // Entries are in order, so their logits lie in a row.
  if (num_asked > 0) {
    weights_.head.Run(member, normed_.data(), d_model, num_asked, first_logits,
                      config.vocab_size, /*accumulate=*/false);
  }
  member.Barrier();
}

}  // namespace sheaf
