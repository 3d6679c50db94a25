// SPDX-License-Identifier: Apache-2.0

#include "engine/model/decoder.h"

#include <algorithm>

#include "base/check.h"

namespace sheaf {
namespace {

// Calls fn for the query group of each row and KV head of a share: with the
// first query head of the group, the row within the context, and the group's
// place among the queries of the kernel.
template <typename Fn>
void ForEachGroup(const AttentionPlan::Context& context,
                  const AttentionPlan::Share& share, int32_t group, Fn fn) {
  int64_t query = 0;
  for (int32_t head = share.first_kv_head; head < share.end_kv_head; ++head) {
    for (int32_t row = 0; row < context.num_rows; ++row) {
      fn(head * group, row, query);
      query += group;
    }
  }
}

// Keys and values of this size stay in the caches from step to step.
constexpr int64_t kCachedKvBytes = 16 << 20;

}  // namespace

Decoder::Decoder(const Weights& weights, const DecoderTables& tables,
                 KvStorage& storage, ThreadTeam& team,
                 const kernels::Kernels& kernels, int32_t max_rows)
    : weights_(weights),
      storage_(storage),
      team_(team),
      kernels_(kernels),
      shape_(weights.architecture.decoder),
      sublayers_(weights.architecture, kernels),
      embedding_(tables.embedding),
      biases_(tables.biases),
      finisher_(tables.finisher),
      max_rows_(max_rows),
      max_positions_(tables.max_positions),
      aligner_(weights.architecture, storage, kernels, tables.finisher,
               team.size()),
      cross_plan_(weights.architecture.num_cross_kv_heads, team.size()),
      buffers_(weights, shape_, kernels, max_rows) {
  const int64_t rows = max_rows;
  const int64_t q_columns = shape_.q_columns();
  x_ = AlignedBuffer<float>(rows * shape_.d_model);
  normed_ = AlignedBuffer<float>(rows * shape_.d_model);
  qkv_ = AlignedBuffer<float>(rows * (q_columns + 2 * shape_.kv_columns()));
  attended_ = AlignedBuffer<float>(rows * q_columns);
  rows_.reserve(max_rows);
  head_rows_.reserve(max_rows);
  MakePlans();
  for (int32_t i = 0; i < team.size(); ++i) {
    members_.push_back(
        {AlignedBuffer<float>(AttentionPlan::kMaxContextRows * q_columns),
         AlignedBuffer<float>(int64_t{AttentionPlan::kMaxContextRows} *
                              shape_.num_heads *
                              kernels::PartFloats(shape_.head_dim))});
  }
}

void Decoder::set_short_head(const ShortHead* head) {
  short_head_ = head;
  if (head == nullptr) return;
  short_y_ = AlignedBuffer<float>(max_rows_ * head->row_floats());
}

void Decoder::Decode(absl::Span<const DecodeEntry> entries,
                     absl::Span<float> logits) {
  const auto flush = [&] {
    head_rows_.clear();
    for (const Row& row : rows_) {
      if (row.logits == nullptr) continue;
      head_rows_.push_back({row.entry->output_tokens, row.logits});
    }
    PlanAttention();
    aligner_.Finish();
    team_.Run([this](const ThreadTeam::Member& member) { RunRows(member); });
    rows_.clear();
    aligner_.Clear();
  };
  rows_.clear();
  aligner_.Clear();
  for (size_t i = 0; i < entries.size(); ++i) {
    const DecodeEntry& entry = entries[i];
    StackEmbedding::Counter places(weights_.architecture,
                                   entry.num_computed_tokens);
    for (size_t j = 0; j < entry.tokens.size(); ++j) {
      const bool is_last = j + 1 == entry.tokens.size();
      rows_.push_back(
          {&entry, entry.tokens[j],
           entry.num_computed_tokens + static_cast<int32_t>(j),
           places.Next(entry.tokens[j]),
           is_last ? logits.data() + i * weights_.architecture.vocab_size
                   : nullptr});
      SHEAF_CHECK(rows_.back().position < max_positions_);
      if (entry.attended != nullptr) {
        aligner_.Add(static_cast<int64_t>(rows_.size()) - 1, entry,
                     static_cast<int32_t>(j));
      }
      if (static_cast<int32_t>(rows_.size()) == max_rows_) flush();
    }
  }
  if (!rows_.empty()) flush();
}

void Decoder::RunRows(const ThreadTeam::Member& member) {
  EmbedRows(member);
  PlanAhead(member);
  const int32_t num_rows = static_cast<int32_t>(rows_.size());
  for (int32_t i = 0; i < shape_.num_layers; ++i) {
    AddSelfAttention(member, i);
    if (!weights_.architecture.has_merged_attention) {
      AddCrossAttention(member, i);
    }
    sublayers_.FeedForward(member, weights_.decoder[i].feed_forward, x_.data(),
                           num_rows, normed_.data(), buffers_,
                           CursorOf(member));
  }
  WriteLogits(member);
}

void Decoder::PlanAhead(const ThreadTeam::Member& member) {
  KvAhead* const ahead = AheadOf(member);
  if (ahead == nullptr) return;
  ahead->Clear();
  if (!must_read_ahead_) return;
  for (int32_t i = 0; i < shape_.num_layers; ++i) {
    AttentionPlan& self = self_plans_[plan_of_layer_[i]].plan;
    ahead->Add(storage_, i, self,
               self.SharesOf(member.index(), member.count()));
    if (weights_.architecture.has_merged_attention) continue;
    ahead->Add(storage_, i, cross_plan_,
               cross_plan_.SharesOf(member.index(), member.count()));
  }
  ahead->Finish();
}

void Decoder::EmbedRows(const ThreadTeam::Member& member) {
  const auto [begin, end] = member.Share(static_cast<int64_t>(rows_.size()));
  for (int64_t row = begin; row < end; ++row) {
    embedding_.Embed(rows_[row].token, rows_[row].place,
                     x_.data() + row * shape_.d_model);
  }
  member.Barrier();
}

void Decoder::AddSelfAttention(const ThreadTeam::Member& member,
                               int32_t layer_index) {
  const DecoderLayer& layer = weights_.decoder[layer_index];
  const int32_t num_rows = static_cast<int32_t>(rows_.size());
  const LinearInput input =
      sublayers_.Begin(member, layer.self_norms.before, layer.qkv, x_.data(),
                       num_rows, normed_.data(), buffers_);
  ShowInput(member, layer_index, Attention::kSelf, input.x);
  ProjectHeads(member, layer, input);
  member.Barrier();
  if (!has_lone_rows_) {
    WriteShareOfSelfKv(member, layer_index);
    member.Barrier();
  }
  if (weights_.architecture.has_merged_attention) {
    aligner_.TakeLayer(member, layer_index, qkv_.data(), SelfRowFloats());
  }
  Attend(member, {self_plans_[plan_of_layer_[layer_index]].plan, layer_index,
                  SelfRowFloats(), /*is_self=*/true});
  member.Barrier();
  sublayers_.End(member, layer.self_norms, layer.self_out, attended_.data(),
                 num_rows, x_.data(), normed_.data(), buffers_,
                 CursorOf(member));
}

void Decoder::ProjectHeads(const ThreadTeam::Member& member,
                           const DecoderLayer& layer,
                           const LinearInput& input) {
  const int32_t num_rows = static_cast<int32_t>(rows_.size());
  const int64_t columns = shape_.q_columns() + 2 * shape_.kv_columns();
  layer.qkv.Run(member, input, num_rows, qkv_.data(), columns,
                /*accumulate=*/false, CursorOf(member));
  if (weights_.architecture.has_merged_attention) {
    layer.kv.Run(member, input, num_rows, qkv_.data() + shape_.q_columns(),
                 columns, /*accumulate=*/false);
  }
}

void Decoder::AddCrossAttention(const ThreadTeam::Member& member,
                                int32_t layer_index) {
  const DecoderLayer& layer = weights_.decoder[layer_index];
  const int32_t num_rows = static_cast<int32_t>(rows_.size());
  const LinearInput input =
      sublayers_.Begin(member, layer.cross_norms.before, layer.cross_q,
                       x_.data(), num_rows, normed_.data(), buffers_);
  ShowInput(member, layer_index, Attention::kCross, input.x);
  layer.cross_q.Run(member, input, num_rows, qkv_.data(),
                    layer.cross_q.num_columns(), /*accumulate=*/false,
                    CursorOf(member));
  member.Barrier();
  aligner_.TakeLayer(member, layer_index, qkv_.data(),
                     layer.cross_q.num_columns());
  Attend(member, {cross_plan_, layer_index, layer.cross_q.num_columns(),
                  /*is_self=*/false});
  member.Barrier();
  sublayers_.End(member, layer.cross_norms, layer.cross_out, attended_.data(),
                 num_rows, x_.data(), normed_.data(), buffers_,
                 CursorOf(member));
}

void Decoder::ShowInput(const ThreadTeam::Member& member, int32_t layer_index,
                        Attention attention, const float* input) {
  if (observer_ == nullptr || member.index() != 0) return;
  observer_->OnAttentionInput(layer_index, attention,
                              {input, rows_.size() * shape_.d_model});
}

// One plan per distinct window.
void Decoder::MakePlans() {
  for (int32_t layer = 0; layer < shape_.num_layers; ++layer) {
    const std::optional<Window> window =
        shape_.windows.empty() ? std::nullopt : shape_.windows[layer];
    const auto found = std::find_if(
        self_plans_.begin(), self_plans_.end(),
        [&](const SelfPlan& self) { return self.window == window; });
    plan_of_layer_.push_back(static_cast<int32_t>(found - self_plans_.begin()));
    if (found != self_plans_.end()) continue;
    self_plans_.push_back(
        {window, AttentionPlan(shape_.num_kv_heads, team_.size())});
  }
}

void Decoder::PlanAttention() {
  has_lone_rows_ = std::adjacent_find(rows_.begin(), rows_.end(),
                                      [](const Row& a, const Row& b) {
                                        return a.entry == b.entry;
                                      }) == rows_.end();
  const bool is_merged = weights_.architecture.has_merged_attention;
  cross_plan_.Clear();
  if (!is_merged) PlanSources(cross_plan_);
  cross_plan_.Finish();
  int64_t num_partials = cross_plan_.num_partials();
  for (SelfPlan& self : self_plans_) {
    self.plan.Clear();
    // First, because the rows of a source must have equally many parts so far.
    if (is_merged) PlanSources(self.plan);
    PlanSequences(self);
    self.plan.Finish();
    num_partials = std::max(num_partials, self.plan.num_partials());
  }
  const size_t num_floats =
      num_partials * shape_.num_heads * kernels::PartFloats(shape_.head_dim);
  if (parts_.size() < num_floats) parts_.resize(num_floats);
  int64_t kv_bytes = 0;
  for (const AttentionPlan* plan : {&cross_plan_, &self_plans_.front().plan}) {
    for (const AttentionPlan::Context& context : plan->contexts()) {
      kv_bytes += (context.end - context.begin) *
                  storage_.bytes_per_token(context.attention);
    }
  }
  must_read_ahead_ = kv_bytes > kCachedKvBytes;
}

void Decoder::PlanSources(AttentionPlan& plan) {
  const int32_t num_rows = static_cast<int32_t>(rows_.size());
  for (int32_t first = 0, end = 0; first < num_rows; first = end) {
    const DecodeEntry& entry = *rows_[first].entry;
    while (end < num_rows &&
           rows_[end].entry->cross_blocks.data() == entry.cross_blocks.data()) {
      ++end;
    }
    plan.Add(Attention::kCross, entry.cross_blocks.data(), /*begin=*/0,
             entry.source_len, first, end - first);
  }
}

void Decoder::PlanSequences(SelfPlan& self) {
  const int32_t num_rows = static_cast<int32_t>(rows_.size());
  for (int32_t row = 0; row < num_rows; ++row) {
    const int32_t position = rows_[row].position;
    // Tokens of the first panel that lie before the window have a bias.
    const int32_t begin = self.window.has_value()
                              ? std::max(position - self.window->back, 0) /
                                    kernels::kPanel * kernels::kPanel
                              : 0;
    self.plan.Add(Attention::kSelf, rows_[row].entry->self_blocks.data(), begin,
                  position + 1, row, /*num_rows=*/1);
  }
}

void Decoder::WriteShareOfSelfKv(const ThreadTeam::Member& member,
                                 int32_t layer_index) {
  const int32_t num_heads = shape_.num_kv_heads;
  const auto [begin, end] =
      member.Share(static_cast<int64_t>(rows_.size()) * num_heads);
  for (int64_t i = begin; i < end; ++i) {
    WriteSelfKv(layer_index, i / num_heads,
                static_cast<int32_t>(i % num_heads));
  }
}

void Decoder::WriteSelfKv(int32_t layer_index, int64_t row_index,
                          int32_t kv_head) {
  const Row& row = rows_[row_index];
  float* k = qkv_.data() + row_index * SelfRowFloats() + shape_.q_columns() +
             int64_t{kv_head} * shape_.head_dim;
  if (!finisher_.is_idle()) {
    finisher_.FinishKeys(layer_index, row.position, k, /*num_heads=*/1);
  }
  storage_.Write(Attention::kSelf, layer_index, kv_head,
                 row.entry->self_blocks.data(), row.position, k,
                 k + shape_.kv_columns());
}

void Decoder::Attend(const ThreadTeam::Member& member,
                     const AttentionCall& call) {
  if (KvAhead* const ahead = AheadOf(member); ahead != nullptr) {
    ahead->OnAttention();
  }
  const absl::Span<const AttentionPlan::Share> shares =
      call.plan.SharesOf(member.index(), member.count());
  for (size_t i = 0; i < shares.size(); ++i) {
    AttendShare(call, shares[i], shares[std::min(i + 1, shares.size() - 1)],
                members_[member.index()]);
  }
  if (call.plan.num_partials() == 0) return;
  member.Barrier();
  JoinParts(member, call.plan);
}

void Decoder::AttendShare(const AttentionCall& call,
                          const AttentionPlan::Share& share,
                          const AttentionPlan::Share& next,
                          MemberBuffers& buffers) {
  const auto contexts = call.plan.contexts();
  const AttentionPlan::Context& context = contexts[share.context];
  const int32_t dim = shape_.head_dim;
  const int32_t group = shape_.num_heads / call.plan.num_kv_heads();
  if (has_lone_rows_ && context.attention == Attention::kSelf &&
      share.part == context.num_parts - 1) {
    for (int32_t i = share.first_kv_head; i < share.end_kv_head; ++i) {
      WriteSelfKv(call.layer_index, context.first_row, i);
    }
  }
  CopyQueries(call, share, buffers.q.data());
  const auto view = [&](const AttentionPlan::Share& of) {
    const AttentionPlan::Context& seen = contexts[of.context];
    return storage_.View(seen.attention, call.layer_index, of.first_kv_head,
                         seen.blocks);
  };
  const RelativeBias* bias = context.attention == Attention::kSelf
                                 ? biases_.Of(call.layer_index)
                                 : nullptr;
  const kernels::KvView next_view = view(next);
  kernels_.attend_decode(
      {.q = buffers.q.data(),
       .num_kv_heads = share.end_kv_head - share.first_kv_head,
       .num_rows = group * context.num_rows,
       .dim = dim,
       .kv = view(share),
       .begin = call.plan.PartBegin(share),
       .end = call.plan.PartEnd(share),
       .bias =
           bias ? bias->ForQuery(share.first_kv_head * group, context.end - 1)
                : nullptr,
       .bias_stride = bias ? bias->row_stride() : 0,
       .softcap = shape_.score_softcap,
       .parts = buffers.parts.data(),
       .next = next_view.base + next_view.block_ids[call.plan.PartBegin(next) /
                                                    next_view.block_tokens] *
                                    next_view.block_stride});
  StoreShare(call, share, buffers);
}

void Decoder::CopyQueries(const AttentionCall& call,
                          const AttentionPlan::Share& share, float* q) const {
  const AttentionPlan::Context& context = call.plan.contexts()[share.context];
  const int32_t dim = shape_.head_dim;
  const int32_t group = shape_.num_heads / call.plan.num_kv_heads();
  const float scale = shape_.score_scale;
  const bool is_finished = call.is_self && !finisher_.is_idle();
  ForEachGroup(
      context, share, group, [&](int32_t head, int32_t row, int64_t query) {
        const int32_t row_index = context.first_row + row;
        const float* from =
            qkv_.data() + row_index * call.q_stride + int64_t{head} * dim;
        float* to = q + query * dim;
        if (is_finished) {
          std::copy_n(from, group * dim, to);
          finisher_.FinishQueries(call.layer_index, rows_[row_index].position,
                                  to, group);
          from = to;
        }
        for (int32_t i = 0; i < group * dim; ++i) to[i] = from[i] * scale;
      });
}

// In parts_ and attended_, all query heads of a row lie side by side.
void Decoder::StoreShare(const AttentionCall& call,
                         const AttentionPlan::Share& share,
                         const MemberBuffers& buffers) {
  const AttentionPlan::Context& context = call.plan.contexts()[share.context];
  const int32_t group = shape_.num_heads / call.plan.num_kv_heads();
  const int64_t num_heads = shape_.num_heads;
  const int64_t part_floats = kernels::PartFloats(shape_.head_dim);
  const auto store = [&](int32_t head, int32_t row, int64_t query) {
    const float* from = buffers.parts.data() + query * part_floats;
    const AttentionPlan::RowParts& row_parts =
        call.plan.row_parts()[context.first_row + row];
    if (row_parts.count > 1) {
      const int64_t partial = row_parts.first + context.first_part + share.part;
      std::copy_n(from, group * part_floats,
                  parts_.data() + (partial * num_heads + head) * part_floats);
      return;
    }
    float* to =
        attended_.data() +
        ((context.first_row + row) * num_heads + head) * shape_.head_dim;
    for (int32_t i = 0; i < group; ++i) {
      kernels_.join_parts(from + i * part_floats, part_floats, /*num_parts=*/1,
                          shape_.head_dim, to + int64_t{i} * shape_.head_dim);
    }
  };
  ForEachGroup(context, share, group, store);
}

// Joins the parts of rows that have several. The members take the queries in
// turn.
void Decoder::JoinParts(const ThreadTeam::Member& member,
                        const AttentionPlan& plan) {
  const int64_t part_floats = kernels::PartFloats(shape_.head_dim);
  const int64_t num_heads = shape_.num_heads;
  const absl::Span<const AttentionPlan::RowParts> rows = plan.row_parts();
  int64_t turn = 0;
  for (size_t row = 0; row < rows.size(); ++row) {
    if (rows[row].count == 1) continue;
    const float* from =
        parts_.data() + rows[row].first * num_heads * part_floats;
    float* to = attended_.data() +
                static_cast<int64_t>(row) * num_heads * shape_.head_dim;
    for (int64_t head = 0; head < num_heads; ++head) {
      if (turn++ % member.count() != member.index()) continue;
      kernels_.join_parts(from + head * part_floats, num_heads * part_floats,
                          rows[row].count, shape_.head_dim,
                          to + head * shape_.head_dim);
    }
  }
}

// Computes the logits of the rows that need them. What the head reads of them
// is first stored side by side for its product.
void Decoder::WriteLogits(const ThreadTeam::Member& member) {
  const int64_t d_model = shape_.d_model;
  // Every member finds the same places and norms the rows that are its own.
  int32_t num_asked = 0;
  for (size_t row = 0; row < rows_.size(); ++row) {
    if (rows_[row].logits == nullptr) continue;
    if (num_asked % member.count() == member.index()) {
      FinishRow(static_cast<int64_t>(row),
                normed_.data() + num_asked * d_model);
    }
    ++num_asked;
  }
  member.Barrier();
  const auto is_short = [&](int64_t i) {
    return head_rows_[i].output_tokens != nullptr;
  };
  for (int64_t first = 0, end = 0; first < num_asked; first = end) {
    while (end < num_asked && is_short(end) == is_short(first)) ++end;
    RunHead(member, first, end);
  }
  member.Barrier();
}

void Decoder::RunHead(const ThreadTeam::Member& member, int64_t first,
                      int64_t end) {
  const float* x = normed_.data() + first * shape_.d_model;
  if (head_rows_[first].output_tokens != nullptr) {
    short_head_->Run(
        member, absl::MakeConstSpan(head_rows_).subspan(first, end - first), x,
        short_y_.data());
    return;
  }
  // Entries are in order, so their logits are contiguous.
  float* logits = head_rows_[first].logits;
  const int32_t num_rows = static_cast<int32_t>(end - first);
  weights_.head.Run(member, {x, shape_.d_model}, num_rows, logits,
                    weights_.head.num_columns(), /*accumulate=*/false);
  if (weights_.architecture.logit_softcap != 0) {
    CapOwnSlices(member, num_rows, logits);
  }
}

// A member caps the columns that it has just computed, so no barrier is needed.
void Decoder::CapOwnSlices(const ThreadTeam::Member& member, int32_t num_rows,
                           float* logits) const {
  const absl::Span<const Linear::Slice> slices = weights_.head.slices();
  for (size_t i = member.index(); i < slices.size(); i += member.count()) {
    for (int32_t row = 0; row < num_rows; ++row) {
      kernels_.soft_cap(
          logits + row * weights_.head.num_columns() + slices[i].first_column,
          slices[i].num_columns, weights_.architecture.logit_softcap);
    }
  }
}

void Decoder::FinishRow(int64_t row, float* out) const {
  const Architecture& architecture = weights_.architecture;
  const int64_t d_model = shape_.d_model;
  const float* x = x_.data() + row * d_model;
  if (architecture.has_final_norm) {
    Norm(kernels_, architecture, weights_.decoder_stack.final_norm, x,
         /*num_rows=*/1, out);
  } else {
    std::copy_n(x, d_model, out);
  }
  if (const float scale = architecture.logit_scale; scale != 1) {
    for (int64_t i = 0; i < d_model; ++i) out[i] *= scale;
  }
}

}  // namespace sheaf
