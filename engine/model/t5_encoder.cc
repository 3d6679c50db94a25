#include "engine/model/t5_encoder.h"

#include <algorithm>

#include "engine/check.h"

namespace sheaf {
namespace {

constexpr int32_t kPanel = kernels::kPanel;
// Rows that pass through the feed-forward layer, and through the product that
// makes the cross K/V, at a time: enough to read each weight seldom, few enough
// to keep what lies between in cache and the memory small.
constexpr int32_t kFeedForwardRows = 192;
constexpr int32_t kCrossRows = 48;

int64_t RoundUp(int64_t n, int64_t unit) {
  return (n + unit - 1) / unit * unit;
}

}  // namespace

T5Encoder::T5Encoder(const T5Weights& weights, KvStorage& storage,
                     ThreadTeam& team, const kernels::Kernels& kernels,
                     int32_t max_tokens, int32_t max_source_tokens)
    : weights_(weights),
      storage_(storage),
      team_(team),
      kernels_(kernels),
      bias_(weights.encoder_bias, weights.config.num_heads,
            weights.config.relative_attention_num_buckets,
            weights.config.relative_attention_max_distance,
            /*is_bidirectional=*/true, max_source_tokens),
      feed_forward_(weights.config, std::min(max_tokens, kFeedForwardRows)) {
  const T5Config& config = weights.config;
  const int64_t rows = std::max(max_tokens, max_source_tokens);
  const int64_t inner = int64_t{config.num_heads} * config.d_kv;
  x_ = AlignedBuffer(rows * config.d_model);
  normed_ = AlignedBuffer(rows * config.d_model);
  qkv_ = AlignedBuffer(rows * 3 * inner);
  attended_ = AlignedBuffer(rows * inner);
  cross_kv_ = AlignedBuffer(kCrossRows * weights.cross_kv.num_columns());
  const int64_t len = RoundUp(max_source_tokens, kPanel);
  for (int32_t i = 0; i < team.size(); ++i) {
    heads_.push_back({AlignedBuffer(len * config.d_kv),
                      AlignedBuffer(len * config.d_kv),
                      AlignedBuffer(6 * kernels::kContextPart)});
  }
}

void T5Encoder::Begin(absl::Span<const EncodeEntry> entries) {
  sources_.clear();
  num_rows_ = 0;
  next_layer_ = 0;
  const int64_t d_model = weights_.config.d_model;
  for (const EncodeEntry& entry : entries) {
    const int32_t len = static_cast<int32_t>(entry.source.size());
    SHEAF_CHECK((num_rows_ + len) * d_model <= x_.size());
    sources_.push_back({num_rows_, len, entry.cross_blocks});
    for (int32_t id : entry.source) {
      weights_.Embed(id, x_.data() + num_rows_++ * d_model);
    }
  }
}

bool T5Encoder::Advance(int64_t token_layers) {
  const int32_t num_layers = weights_.config.num_encoder_layers;
  const int64_t layers = std::max<int64_t>(1, token_layers / num_rows_);
  const int32_t end =
      static_cast<int32_t>(std::min<int64_t>(num_layers, next_layer_ + layers));
  team_.Run([&](const ThreadTeam::Member& member) {
    for (int32_t i = next_layer_; i < end; ++i) {
      RunLayer(member, weights_.encoder[i]);
    }
    if (end == num_layers) {
      NormRows(member, kernels_, weights_.config, weights_.encoder_norm,
               x_.data(), num_rows_, normed_.data());
      WriteCrossKv(member);
    }
  });
  next_layer_ = end;
  return end == num_layers;
}

void T5Encoder::RunLayer(const ThreadTeam::Member& member,
                         const T5EncoderLayer& layer) {
  const int64_t d_model = weights_.config.d_model;
  NormRows(member, kernels_, weights_.config, layer.norm, x_.data(), num_rows_,
           normed_.data());
  layer.qkv.Run(member, normed_.data(), d_model, num_rows_, qkv_.data(),
                layer.qkv.num_columns(), /*accumulate=*/false);
  member.Barrier();
  Attend(member);
  member.Barrier();
  layer.out.Run(member, attended_.data(), layer.out.K(), num_rows_, x_.data(),
                d_model, /*accumulate=*/true);
  member.Barrier();
  AddFeedForward(member, kernels_, weights_.config, layer.feed_forward,
                 x_.data(), num_rows_, normed_.data(), feed_forward_);
}

// The (source, head) pairs go to the members in turn.
void T5Encoder::Attend(const ThreadTeam::Member& member) {
  const int32_t num_heads = weights_.config.num_heads;
  const int64_t pairs = static_cast<int64_t>(sources_.size()) * num_heads;
  for (int64_t i = member.index(); i < pairs; i += member.count()) {
    AttendHead(sources_[i / num_heads], static_cast<int32_t>(i % num_heads),
               heads_[member.index()]);
  }
}

void T5Encoder::AttendHead(const Source& source, int32_t head,
                           HeadBuffers& buffers) {
  const int32_t dim = weights_.config.d_kv;
  const int64_t inner = int64_t{weights_.config.num_heads} * dim;
  const int64_t stride = 3 * inner;
  const float* q =
      qkv_.data() + source.first_row * stride + int64_t{head} * dim;
  for (int32_t t = 0; t < source.len; ++t) {
    const float* k = q + t * stride + inner;
    float* lane = buffers.k_panels.data() + int64_t{t / kPanel} * dim * kPanel +
                  t % kPanel;
    for (int32_t i = 0; i < dim; ++i) lane[i * kPanel] = k[i];
    std::copy_n(k + inner, dim, buffers.v.data() + int64_t{t} * dim);
  }
  kernels_.attend_encode(
      {.q = q,
       .q_stride = stride,
       .out = attended_.data() + source.first_row * inner + int64_t{head} * dim,
       .out_stride = inner,
       .first_row = 0,
       .end_row = source.len,
       .dim = dim,
       .len = source.len,
       .k_panels = buffers.k_panels.data(),
       .v = buffers.v.data(),
       .bias = bias_.ForQuery(head, 0),
       .scores = buffers.scores.data()});
}

void T5Encoder::WriteCrossKv(const ThreadTeam::Member& member) {
  const T5Config& config = weights_.config;
  const int32_t num_heads = config.num_cross_kv_heads;
  const int64_t columns = weights_.cross_kv.num_columns();
  const int64_t kv = int64_t{num_heads} * config.d_kv;  // of k, and of v
  const int32_t pairs = config.num_decoder_layers * num_heads;
  for (const Source& source : sources_) {
    if (source.is_dropped) continue;
    for (int32_t at = 0; at < source.len; at += kCrossRows) {
      const int32_t n = std::min(kCrossRows, source.len - at);
      weights_.cross_kv.Run(
          member,
          normed_.data() + int64_t{source.first_row + at} * config.d_model,
          config.d_model, n, cross_kv_.data(), columns, /*accumulate=*/false);
      member.Barrier();
      for (int32_t i = member.index(); i < pairs; i += member.count()) {
        const int32_t layer = i / num_heads, head = i % num_heads;
        const float* k =
            cross_kv_.data() + layer * 2 * kv + int64_t{head} * config.d_kv;
        for (int32_t t = 0; t < n; ++t, k += columns) {
          storage_.Write(Attention::kCross, layer, head,
                         source.cross_blocks.data(), at + t, k, k + kv);
        }
      }
      member.Barrier();
    }
  }
}

}  // namespace sheaf
