// SPDX-License-Identifier: Apache-2.0

#include "engine/model/encoder.h"

#include <algorithm>

#include "base/check.h"
#include "base/round_up.h"
#include "engine/model/row_split.h"

namespace sheaf {
namespace {

constexpr int32_t kPanel = kernels::kPanel;

kernels::EncodeType AttentionType(const Weights& weights,
                                  const kernels::Kernels& kernels) {
  const bool rounds_inputs =
      weights.type == WeightType::kInt8 || weights.type == WeightType::kInt4 ||
      (weights.type == WeightType::kBf16 && kernels.has_bf16_products);
  return rounds_inputs && weights.architecture.encoder.head_dim % 32 == 0
             ? kernels.narrow_encode_type
             : kernels::EncodeType::kF32;
}

int64_t CrossKvColumns(const Architecture& architecture) {
  return int64_t{2} * architecture.decoder.num_layers *
         architecture.cross_kv_columns();
}

// The weights that a pass reads.
int64_t EncodeBytes(const Weights& weights) {
  int64_t bytes = weights.cross_kv.bytes();
  for (const EncoderLayer& layer : weights.encoder) {
    bytes += layer.qkv.bytes() + layer.self_out.bytes() +
             layer.feed_forward.in.bytes() + layer.feed_forward.out.bytes();
  }
  return bytes;
}

// The largest part may have this much more than an even share of the work.
// Beyond that, the team is faster if it computes all sources together.
constexpr double kMostUneven = 1.25;

// Multiply-adds of a run of the team, about a millisecond. A team that has
// shrunk grows again only between runs, so a pass must not be one long run.
constexpr int64_t kWorkOfRun = 1'000'000'000;

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
      encode_bytes_(EncodeBytes(weights)) {
  const int64_t rows = std::max(max_tokens, max_source_tokens);
  x_ = AlignedBuffer<float>(rows * shape_.d_model);
  normed_ = AlignedBuffer<float>(rows * shape_.d_model);
  qkv_ = AlignedBuffer<float>(rows *
                              (shape_.q_columns() + 2 * shape_.kv_columns()));
  attended_ = AlignedBuffer<float>(rows * shape_.q_columns());
  const int32_t num_parts =
      PaysToSplitRows(encode_bytes_, rows / team.size()) ? team.size() : 1;
  for (int32_t i = 0; i < num_parts; ++i) {
    parts_.push_back(
        std::make_unique<Part>(weights, kernels, max_source_tokens,
                               /*num_members=*/i == 0 ? team.size() : 1));
  }
}

Encoder::Part::Part(const Weights& weights, const kernels::Kernels& kernels,
                    int32_t max_source_tokens, int32_t num_members)
    : units(weights.architecture, kernels.rows_at_once),
      buffers(weights, weights.architecture.encoder, kernels,
              kernels.rows_at_once),
      cross_kv(int64_t{kernels.rows_at_once} *
               CrossKvColumns(weights.architecture)) {
  const int32_t head_dim = weights.architecture.encoder.head_dim;
  // The widest form of a head is f32.
  const int64_t head_bytes = RoundUp<int64_t>(max_source_tokens, kPanel) *
                             head_dim * static_cast<int64_t>(sizeof(float));
  for (int32_t i = 0; i < num_members; ++i) {
    heads.push_back(
        {AlignedBuffer<char>(head_bytes), AlignedBuffer<char>(head_bytes),
         AlignedBuffer<float>(kernels::EncodeScratchFloats(head_dim))});
  }
}

void Encoder::Begin(absl::Span<const EncodeEntry> entries) {
  sources_.clear();
  num_rows_ = 0;
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
  BeginParts();
}

void Encoder::BeginParts() {
  if (!SplitSources()) {
    ends_.assign(1, static_cast<int32_t>(sources_.size()));
    parts_.front()->units.Begin(sources_, 0, ends_.front(), team_.size());
    return;
  }
  for (size_t i = 0; i < ends_.size(); ++i) {
    parts_[i]->units.Begin(sources_, i == 0 ? 0 : ends_[i - 1], ends_[i],
                           /*num_members=*/1);
  }
}

bool Encoder::SplitSources() {
  const int32_t members = team_.NextCount();
  if (members == 1 || parts_.size() == 1 ||
      !PaysToSplitRows(encode_bytes_, num_rows_ / members)) {
    return false;
  }
  work_.clear();
  for (const Source& source : sources_) {
    work_.push_back(parts_.front()->units.WorkOfSource(source.len));
  }
  CutEvenly(work_, members, ends_);
  int64_t largest = 0, all = 0;
  for (size_t i = 0, source = 0; i < ends_.size(); ++i) {
    int64_t part = 0;
    for (; static_cast<int32_t>(source) < ends_[i]; ++source) {
      part += work_[source];
    }
    largest = std::max(largest, part);
    all += part;
  }
  return static_cast<double>(largest * members) <=
         kMostUneven * static_cast<double>(all);
}

bool Encoder::Advance(int64_t token_layers) {
  // A budget above the whole pass could overflow.
  const int64_t budget =
      std::min(token_layers, int64_t{num_rows_} * shape_.num_layers);
  for (size_t i = 0; i < ends_.size(); ++i) {
    Part& part = *parts_[i];
    part.next_units = part.units.Take(
        (budget * part.units.num_rows() + num_rows_ - 1) / num_rows_);
  }
  if (ends_.size() == 1) {
    RunTogether(*parts_.front());
  } else {
    team_.RunParts(static_cast<int32_t>(ends_.size()),
                   [this](int32_t index, int32_t) {
                     Part& part = *parts_[index];
                     part.solo_team.Run([&](const ThreadTeam::Member& solo) {
                       RunUnits(solo, part.next_units, part);
                     });
                   });
  }
  return std::all_of(parts_.begin(),
                     parts_.begin() + static_cast<int64_t>(ends_.size()),
                     [](const auto& part) { return part->units.IsDone(); });
}

void Encoder::RunTogether(Part& part) {
  for (size_t begin = 0, end = 0; begin < part.next_units.size(); begin = end) {
    int64_t work = 0;
    while (end < part.next_units.size() && work < kWorkOfRun) {
      work += part.units.WorkOf(part.next_units[end++]);
    }
    const auto units = part.next_units.subspan(begin, end - begin);
    team_.Run([&](const ThreadTeam::Member& member) {
      RunUnits(member, units, part);
    });
  }
}

void Encoder::RunUnits(const ThreadTeam::Member& member,
                       absl::Span<const Unit> units, Part& part) {
  for (const Unit& unit : units) {
    switch (unit.phase) {
      case Phase::kProject:
        Project(member, unit, part);
        break;
      case Phase::kAttend:
        Attend(member, unit, part);
        break;
      case Phase::kFeedForward:
        FeedForward(member, unit, part);
        break;
      case Phase::kCross:
        WriteCrossKv(member, unit, part);
        break;
    }
  }
}

void Encoder::Project(const ThreadTeam::Member& member, const Unit& unit,
                      Part& part) {
  const EncoderLayer& layer = weights_.encoder[unit.layer];
  const int64_t d_model = shape_.d_model;
  const int32_t n = static_cast<int32_t>(unit.end - unit.begin);
  const LinearInput input =
      sublayers_.Begin(member, layer.self_norms.before, layer.qkv,
                       x_.data() + unit.begin * d_model, n,
                       normed_.data() + unit.begin * d_model, part.buffers);
  const int64_t columns = layer.qkv.num_columns();
  layer.qkv.Run(member, input, n, qkv_.data() + unit.begin * columns, columns,
                /*accumulate=*/false);
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
void Encoder::Attend(const ThreadTeam::Member& member, const Unit& unit,
                     Part& part) {
  const int32_t num_heads = shape_.num_heads;
  const int32_t group = num_heads / shape_.num_kv_heads;
  HeadBuffers& buffers = part.heads[member.index()];
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
  const Window seen = EncoderWindow(shape_, layer_index, source.len);
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

void Encoder::FeedForward(const ThreadTeam::Member& member, const Unit& unit,
                          Part& part) {
  const EncoderLayer& layer = weights_.encoder[unit.layer];
  const int64_t d_model = shape_.d_model;
  const int32_t n = static_cast<int32_t>(unit.end - unit.begin);
  float* x = x_.data() + unit.begin * d_model;
  sublayers_.End(member, layer.self_norms, layer.self_out,
                 attended_.data() + unit.begin * layer.self_out.K(), n, x,
                 normed_.data() + unit.begin * d_model, part.buffers);
  sublayers_.FeedForward(member, layer.feed_forward, x, n,
                         normed_.data() + unit.begin * d_model, part.buffers);
}

void Encoder::WriteCrossKv(const ThreadTeam::Member& member, const Unit& unit,
                           Part& part) {
  const Architecture& architecture = weights_.architecture;
  const int32_t num_heads = architecture.num_cross_kv_heads;
  const int32_t head_dim = architecture.decoder.head_dim;
  const int64_t columns = CrossKvColumns(architecture);
  const int64_t kv = architecture.cross_kv_columns();  // of k, and of v
  const int32_t pairs = architecture.decoder.num_layers * num_heads;
  const int32_t n = static_cast<int32_t>(unit.end - unit.begin);
  const LinearInput output = sublayers_.Normed(
      member, weights_.encoder_stack.final_norm,
      architecture.has_merged_attention ? weights_.decoder.front().kv
                                        : weights_.cross_kv,
      x_.data() + unit.begin * shape_.d_model, n,
      normed_.data() + unit.begin * shape_.d_model, part.buffers);
  ProjectCrossKv(member, output, n, part.cross_kv.data());
  member.Barrier();
  for (int32_t i = member.index(); i < pairs; i += member.count()) {
    const int32_t layer = i / num_heads, head = i % num_heads;
    float* head_kv = part.cross_kv.data() + int64_t{layer} * 2 * kv +
                     int64_t{head} * head_dim;
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
                             const LinearInput& output, int32_t num_rows,
                             float* cross_kv) {
  const int64_t columns = CrossKvColumns(weights_.architecture);
  if (!weights_.architecture.has_merged_attention) {
    weights_.cross_kv.Run(member, output, num_rows, cross_kv, columns,
                          /*accumulate=*/false);
    return;
  }
  for (const DecoderLayer& layer : weights_.decoder) {
    layer.kv.Run(member, output, num_rows, cross_kv, columns,
                 /*accumulate=*/false);
    cross_kv += layer.kv.num_columns();
  }
}

}  // namespace sheaf
