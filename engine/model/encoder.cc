// SPDX-License-Identifier: Apache-2.0

#include "engine/model/encoder.h"

#include <algorithm>

#include "base/check.h"
#include "base/round_up.h"

namespace sheaf {
namespace {

constexpr int32_t kPanel = kernels::kPanel;
// Rows of a unit: many, so that weights are read rarely, but few enough that
// the values between two products stay in the cache and a unit takes only a few
// milliseconds.
constexpr int32_t kUnitRows = 64;

kernels::EncodeType AttentionType(const Weights& weights,
                                  const kernels::Kernels& kernels) {
  const bool rounds_inputs =
      weights.type == WeightType::kInt8 || weights.type == WeightType::kInt4 ||
      (weights.type == WeightType::kBf16 && kernels.has_bf16_products);
  return rounds_inputs && weights.architecture.encoder.head_dim % 32 == 0
             ? kernels.narrow_encode_type
             : kernels::EncodeType::kF32;
}

// The part of a source of `len` tokens that a layer sees.
Window SeenBy(const StackShape& shape, int32_t layer_index, int32_t len) {
  if (shape.windows.empty() || !shape.windows[layer_index].has_value()) {
    return {len, len};
  }
  const Window& window = *shape.windows[layer_index];
  return {std::min(window.back, len), std::min(window.ahead, len)};
}

}  // namespace

Encoder::Encoder(const Weights& weights, KvStorage& storage, ThreadTeam& team,
                 const kernels::Kernels& kernels, int32_t max_tokens,
                 int32_t max_source_tokens)
    : weights_(weights),
      storage_(storage),
      team_(team),
      kernels_(kernels),
      shape_(weights.architecture.encoder),
      sublayers_(weights.architecture, kernels),
      embedding_(weights, Stack::kEncoder, kernels, max_source_tokens),
      biases_(weights.architecture, Stack::kEncoder,
              weights.encoder_stack.position_biases, max_source_tokens),
      finisher_(weights, Stack::kEncoder, kernels, max_source_tokens),
      cross_keys_(weights, Stack::kDecoder, kernels, /*max_len=*/0),
      attention_type_(AttentionType(weights, kernels)),
      feed_forward_(weights.architecture, shape_, kUnitRows) {
  const int64_t rows = std::max(max_tokens, max_source_tokens);
  x_ = AlignedBuffer<float>(rows * shape_.d_model);
  normed_ = AlignedBuffer<float>(rows * shape_.d_model);
  qkv_ = AlignedBuffer<float>(rows *
                              (shape_.q_columns() + 2 * shape_.kv_columns()));
  attended_ = AlignedBuffer<float>(rows * shape_.q_columns());
  cross_kv_ = AlignedBuffer<float>(kUnitRows * cross_kv_columns());
  // The widest form of a head is f32.
  const int64_t head_bytes = RoundUp<int64_t>(max_source_tokens, kPanel) *
                             shape_.head_dim *
                             static_cast<int64_t>(sizeof(float));
  for (int32_t i = 0; i < team.size(); ++i) {
    heads_.push_back(
        {AlignedBuffer<char>(head_bytes), AlignedBuffer<char>(head_bytes),
         AlignedBuffer<float>(kernels::EncodeScratchFloats(shape_.head_dim))});
  }
}

void Encoder::Begin(absl::Span<const EncodeEntry> entries) {
  sources_.clear();
  num_rows_ = 0;
  next_ = {Phase::kProject, 0, 0, 0};
  const int64_t d_model = shape_.d_model;
  for (const EncodeEntry& entry : entries) {
    const int32_t len = static_cast<int32_t>(entry.source.size());
    SHEAF_CHECK((num_rows_ + len) * d_model <= x_.size());
    sources_.push_back({num_rows_, len, entry.cross_blocks});
    StackEmbedding::Counter places(weights_.architecture, /*num_tokens=*/0);
    for (int32_t id : entry.source) {
      embedding_.Embed(id, places.Next(id), x_.data() + num_rows_++ * d_model);
    }
  }
}

bool Encoder::Advance(int64_t token_layers) {
  // A budget for the whole pass is not counted, because it could overflow.
  const int64_t all = int64_t{num_rows_} * shape_.num_layers;
  const bool is_limited = token_layers < all;
  int64_t left = is_limited ? token_layers * WorkOfTokenLayer() : 0;
  units_.clear();
  do {
    units_.push_back(TakeUnit());
    left -= is_limited ? WorkOf(units_.back()) : 0;
  } while (!IsDone() && (!is_limited || left > 0));
  team_.Run([this](const ThreadTeam::Member& member) {
    for (const Unit& unit : units_) RunUnit(member, unit);
  });
  return IsDone();
}

int64_t Encoder::PhaseEnd(Phase phase) const {
  return phase == Phase::kAttend
             ? static_cast<int64_t>(sources_.size()) * shape_.num_heads
             : num_rows_;
}

// Removes the next unit from the remaining work.
Encoder::Unit Encoder::TakeUnit() {
  Unit unit = next_;
  const int64_t phase_end = PhaseEnd(unit.phase);
  if (unit.phase == Phase::kAttend) {
    // At least one pair per member, and as many tokens as in other units.
    int64_t tokens = 0;
    for (unit.end = unit.begin;
         unit.end < phase_end &&
         (unit.end - unit.begin < team_.size() || tokens < kUnitRows);
         ++unit.end) {
      tokens += sources_[unit.end / shape_.num_heads].len;
    }
  } else {
    unit.end = std::min(phase_end, unit.begin + kUnitRows);
  }
  next_.begin = unit.end;
  if (unit.end < phase_end || unit.phase == Phase::kCross) return unit;
  next_.begin = 0;
  if (unit.phase != Phase::kFeedForward) {
    next_.phase = static_cast<Phase>(static_cast<int>(unit.phase) + 1);
  } else if (++next_.layer == shape_.num_layers) {
    next_.phase = Phase::kCross;
  } else {
    next_.phase = Phase::kProject;
  }
  return unit;
}

int64_t Encoder::WorkOfTokenLayer() const {
  const int64_t feed_forward_products = weights_.architecture.is_gated ? 3 : 2;
  return shape_.d_model * (2 * (shape_.q_columns() + shape_.kv_columns()) +
                           feed_forward_products * shape_.d_ff);
}

int64_t Encoder::WorkOf(const Unit& unit) const {
  const int64_t rows = unit.end - unit.begin;
  const int64_t project =
      shape_.d_model * (shape_.q_columns() + 2 * shape_.kv_columns());
  switch (unit.phase) {
    case Phase::kProject:
      return rows * project;
    case Phase::kFeedForward:
      return rows * (WorkOfTokenLayer() - project);
    case Phase::kCross:
      return rows * shape_.d_model * cross_kv_columns();
    case Phase::kAttend:
      break;
  }
  int64_t work = 0;
  for (int64_t i = unit.begin; i < unit.end; ++i) {
    const int32_t len = sources_[i / shape_.num_heads].len;
    const Window seen = SeenBy(shape_, unit.layer, len);
    work += int64_t{2} * len * std::min(len, seen.back + seen.ahead + 1) *
            shape_.head_dim;
  }
  return work;
}

void Encoder::RunUnit(const ThreadTeam::Member& member, const Unit& unit) {
  switch (unit.phase) {
    case Phase::kProject:
      return Project(member, unit);
    case Phase::kAttend:
      return Attend(member, unit);
    case Phase::kFeedForward:
      return FeedForward(member, unit);
    case Phase::kCross:
      return WriteCrossKv(member, unit);
  }
}

void Encoder::Project(const ThreadTeam::Member& member, const Unit& unit) {
  const EncoderLayer& layer = weights_.encoder[unit.layer];
  const int64_t d_model = shape_.d_model;
  const int32_t n = static_cast<int32_t>(unit.end - unit.begin);
  const float* input = sublayers_.Begin(member, layer.self_norms.before,
                                        x_.data() + unit.begin * d_model, n,
                                        normed_.data() + unit.begin * d_model);
  const int64_t columns = layer.qkv.num_columns();
  layer.qkv.Run(member, input, d_model, n, qkv_.data() + unit.begin * columns,
                columns, /*accumulate=*/false);
  member.Barrier();
  if (!finisher_.is_idle()) FinishHeads(member, unit);
}

void Encoder::FinishHeads(const ThreadTeam::Member& member, const Unit& unit) {
  const int64_t columns = weights_.encoder[unit.layer].qkv.num_columns();
  const auto [begin, end] = member.Share(unit.end - unit.begin);
  for (const Source& source : sources_) {
    const int64_t first =
        std::max<int64_t>(unit.begin + begin, source.first_row);
    const int64_t last =
        std::min<int64_t>(unit.begin + end, source.first_row + source.len);
    for (int64_t row = first; row < last; ++row) {
      const int32_t position = static_cast<int32_t>(row - source.first_row);
      float* q = qkv_.data() + row * columns;
      finisher_.FinishQueries(unit.layer, position, q, shape_.num_heads);
      finisher_.FinishKeys(unit.layer, position, q + shape_.q_columns(),
                           shape_.num_kv_heads);
    }
  }
  member.Barrier();
}

// The members take the (source, head) pairs in turn. Heads of a group that
// follow each other share what is packed.
void Encoder::Attend(const ThreadTeam::Member& member, const Unit& unit) {
  const int32_t num_heads = shape_.num_heads;
  const int32_t group = num_heads / shape_.num_kv_heads;
  HeadBuffers& buffers = heads_[member.index()];
  int64_t packed = -1;  // of all groups of all sources
  for (int64_t i = unit.begin + member.index(); i < unit.end;
       i += member.count()) {
    const Source& source = sources_[i / num_heads];
    const int32_t head = static_cast<int32_t>(i % num_heads);
    if (packed != i / group) PackHead(source, head / group, buffers);
    packed = i / group;
    AttendHead(unit.layer, source, head, buffers);
  }
  member.Barrier();
}

void Encoder::PackHead(const Source& source, int32_t kv_head,
                       HeadBuffers& buffers) {
  const int32_t dim = shape_.head_dim;
  const int64_t stride = shape_.q_columns() + 2 * shape_.kv_columns();
  const float* k = qkv_.data() + source.first_row * stride +
                   shape_.q_columns() + int64_t{kv_head} * dim;
  buffers.units = kernels_.pack_head({.k = k,
                                      .v = k + shape_.kv_columns(),
                                      .stride = stride,
                                      .len = source.len,
                                      .dim = dim},
                                     attention_type_, buffers.k_panels.data(),
                                     buffers.v.data());
}

void Encoder::AttendHead(int32_t layer_index, const Source& source,
                         int32_t head, HeadBuffers& buffers) {
  const int32_t dim = shape_.head_dim;
  const int64_t q_columns = shape_.q_columns();
  const int64_t stride = q_columns + 2 * shape_.kv_columns();
  const float* q =
      qkv_.data() + source.first_row * stride + int64_t{head} * dim;
  const RelativeBias* bias = biases_.Of(layer_index);
  const Window seen = SeenBy(shape_, layer_index, source.len);
  kernels_.attend_encode({.q = q,
                          .q_stride = stride,
                          .out = attended_.data() +
                                 source.first_row * q_columns +
                                 int64_t{head} * dim,
                          .out_stride = q_columns,
                          .first_row = 0,
                          .end_row = source.len,
                          .dim = dim,
                          .len = source.len,
                          .type = attention_type_,
                          .units = buffers.units,
                          .k_panels = buffers.k_panels.data(),
                          .v = buffers.v.data(),
                          .bias = bias ? bias->ForQuery(head, 0) : nullptr,
                          .back = seen.back,
                          .ahead = seen.ahead,
                          .softcap = shape_.score_softcap,
                          .scratch = buffers.scratch.data(),
                          .score_scale = shape_.score_scale});
}

void Encoder::FeedForward(const ThreadTeam::Member& member, const Unit& unit) {
  const EncoderLayer& layer = weights_.encoder[unit.layer];
  const int64_t d_model = shape_.d_model;
  const int32_t n = static_cast<int32_t>(unit.end - unit.begin);
  float* x = x_.data() + unit.begin * d_model;
  sublayers_.End(member, layer.self_norms, layer.self_out,
                 attended_.data() + unit.begin * layer.self_out.K(), n, x,
                 normed_.data() + unit.begin * d_model);
  sublayers_.FeedForward(member, layer.feed_forward, x, n,
                         normed_.data() + unit.begin * d_model, feed_forward_);
}

void Encoder::WriteCrossKv(const ThreadTeam::Member& member, const Unit& unit) {
  const Architecture& architecture = weights_.architecture;
  const int32_t num_heads = architecture.num_cross_kv_heads;
  const int32_t head_dim = architecture.decoder.head_dim;
  const int64_t columns = cross_kv_columns();
  const int64_t kv = architecture.cross_kv_columns();  // of k, and of v
  const int32_t pairs = architecture.decoder.num_layers * num_heads;
  const int32_t n = static_cast<int32_t>(unit.end - unit.begin);
  const float* output =
      sublayers_.Begin(member, weights_.encoder_stack.final_norm,
                       x_.data() + unit.begin * shape_.d_model, n,
                       normed_.data() + unit.begin * shape_.d_model);
  ProjectCrossKv(member, output, n);
  member.Barrier();
  for (int32_t i = member.index(); i < pairs; i += member.count()) {
    const int32_t layer = i / num_heads, head = i % num_heads;
    float* head_kv =
        cross_kv_.data() + int64_t{layer} * 2 * kv + int64_t{head} * head_dim;
    for (const Source& source : sources_) {
      if (source.is_dropped) continue;
      const int64_t begin = std::max<int64_t>(unit.begin, source.first_row);
      const int64_t end =
          std::min<int64_t>(unit.end, source.first_row + source.len);
      for (int64_t row = begin; row < end; ++row) {
        float* k = head_kv + (row - unit.begin) * columns;
        if (architecture.has_merged_attention)
          cross_keys_.NormKeys(layer, k, 1);
        storage_.Write(Attention::kCross, layer, head,
                       source.cross_blocks.data(),
                       static_cast<int32_t>(row - source.first_row), k, k + kv);
      }
    }
  }
  member.Barrier();
}

void Encoder::ProjectCrossKv(const ThreadTeam::Member& member,
                             const float* output, int32_t num_rows) {
  if (!weights_.architecture.has_merged_attention) {
    weights_.cross_kv.Run(member, output, shape_.d_model, num_rows,
                          cross_kv_.data(), cross_kv_columns(),
                          /*accumulate=*/false);
    return;
  }
  float* layer_kv = cross_kv_.data();
  for (const DecoderLayer& layer : weights_.decoder) {
    layer.kv.Run(member, output, shape_.d_model, num_rows, layer_kv,
                 cross_kv_columns(), /*accumulate=*/false);
    layer_kv += layer.kv.num_columns();
  }
}

}  // namespace sheaf
