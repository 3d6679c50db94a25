#include "engine/model/decoder.h"

#include <algorithm>

#include "base/check.h"

namespace sheaf {
namespace {

// Rows that attend over a context in one call: at least all beams of a request.
constexpr int32_t kMaxContextRows = 16;

}  // namespace

Decoder::Decoder(const Weights& weights, KvStorage& storage, ThreadTeam& team,
                 const kernels::Kernels& kernels, int32_t max_rows,
                 int32_t max_positions)
    : weights_(weights),
      storage_(storage),
      team_(team),
      kernels_(kernels),
      shape_(weights.architecture.decoder),
      bias_(weights.decoder_bias, shape_.num_heads,
            weights.architecture.positions, /*is_bidirectional=*/false,
            max_positions),
      max_rows_(max_rows),
      self_plan_{Attention::kSelf, shape_.num_kv_heads, {}},
      cross_plan_{
          Attention::kCross, weights.architecture.num_cross_kv_heads, {}},
      feed_forward_(weights.architecture, shape_, max_rows) {
  const int64_t rows = max_rows;
  const int64_t q_columns = shape_.q_columns();
  x_ = AlignedBuffer(rows * shape_.d_model);
  normed_ = AlignedBuffer(rows * shape_.d_model);
  qkv_ = AlignedBuffer(rows * (q_columns + 2 * shape_.kv_columns()));
  attended_ = AlignedBuffer(rows * q_columns);
  rows_.reserve(max_rows);
  for (int32_t i = 0; i < team.size(); ++i) {
    members_.push_back({AlignedBuffer(kMaxContextRows * q_columns),
                        AlignedBuffer(kMaxContextRows * shape_.num_heads *
                                      kernels::PartFloats(shape_.head_dim))});
  }
}

void Decoder::Decode(absl::Span<const DecodeEntry> entries,
                     absl::Span<float> logits) {
  const auto flush = [&] {
    PlanAttention();
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
           is_last ? logits.data() + i * weights_.architecture.vocab_size
                   : nullptr});
      SHEAF_CHECK(rows_.back().position < bias_.max_len());
      if (static_cast<int32_t>(rows_.size()) == max_rows_) flush();
    }
  }
  if (!rows_.empty()) flush();
}

void Decoder::RunRows(const ThreadTeam::Member& member) {
  const Architecture& architecture = weights_.architecture;
  const int64_t d_model = shape_.d_model;
  const int32_t num_rows = static_cast<int32_t>(rows_.size());
  const auto [begin, end] = member.Share(num_rows);
  for (int64_t row = begin; row < end; ++row) {
    weights_.Embed(rows_[row].token, x_.data() + row * d_model);
  }
  member.Barrier();
  for (int32_t i = 0; i < shape_.num_layers; ++i) {
    const DecoderLayer& layer = weights_.decoder[i];
    NormRows(member, kernels_, architecture, layer.self_norm, x_.data(),
             num_rows, normed_.data());
    ShowInput(member, i, Attention::kSelf);
    layer.qkv.Run(member, normed_.data(), d_model, num_rows, qkv_.data(),
                  layer.qkv.num_columns(), /*accumulate=*/false);
    member.Barrier();
    WriteSelfKv(member, i);
    member.Barrier();
    Attend(member, self_plan_, i, layer.qkv.num_columns());
    member.Barrier();
    layer.self_out.Run(member, attended_.data(), layer.self_out.K(), num_rows,
                       x_.data(), d_model, /*accumulate=*/true);
    member.Barrier();

    NormRows(member, kernels_, architecture, layer.cross_norm, x_.data(),
             num_rows, normed_.data());
    ShowInput(member, i, Attention::kCross);
    layer.cross_q.Run(member, normed_.data(), d_model, num_rows, qkv_.data(),
                      layer.cross_q.num_columns(), /*accumulate=*/false);
    member.Barrier();
    Attend(member, cross_plan_, i, layer.cross_q.num_columns());
    member.Barrier();
    layer.cross_out.Run(member, attended_.data(), layer.cross_out.K(), num_rows,
                        x_.data(), d_model, /*accumulate=*/true);
    member.Barrier();

    AddFeedForward(member, kernels_, architecture, layer.feed_forward,
                   x_.data(), num_rows, normed_.data(), feed_forward_);
  }
  WriteLogits(member);
}

void Decoder::ShowInput(const ThreadTeam::Member& member, int32_t layer_index,
                        Attention attention) {
  if (observer_ == nullptr || member.index() != 0) return;
  observer_->OnAttentionInput(layer_index, attention,
                              {normed_.data(), rows_.size() * shape_.d_model});
}

void Decoder::AddContext(AttentionPlan& plan, const int32_t* blocks,
                         int32_t len, int32_t first_row, int32_t num_rows) {
  const int32_t num_parts =
      (len + kernels::kContextPart - 1) / kernels::kContextPart;
  for (int32_t done = 0; done < num_rows;) {
    const int32_t n = std::min(num_rows - done, kMaxContextRows);
    plan.contexts.push_back(
        {blocks, len, first_row + done, n, num_parts, plan.num_parts});
    plan.num_tokens += len;
    if (num_parts > 1) plan.num_parts += int64_t{num_parts} * n;
    done += n;
  }
}

void Decoder::PlanAttention() {
  for (AttentionPlan* plan : {&self_plan_, &cross_plan_}) {
    plan->contexts.clear();
    plan->num_tokens = plan->num_parts = 0;
  }
  const int32_t num_rows = static_cast<int32_t>(rows_.size());
  for (int32_t row = 0; row < num_rows; ++row) {
    AddContext(self_plan_, rows_[row].entry->self_blocks.data(),
               rows_[row].position + 1, row, 1);
  }
  for (int32_t first = 0, end = 0; first < num_rows; first = end) {
    const DecodeEntry& entry = *rows_[first].entry;
    while (end < num_rows &&
           rows_[end].entry->cross_blocks.data() == entry.cross_blocks.data()) {
      ++end;
    }
    AddContext(cross_plan_, entry.cross_blocks.data(), entry.source_len, first,
               end - first);
  }
  const size_t num_parts =
      std::max(self_plan_.num_parts, cross_plan_.num_parts) * shape_.num_heads *
      kernels::PartFloats(shape_.head_dim);
  if (parts_.size() < num_parts) parts_.resize(num_parts);
}

void Decoder::WriteSelfKv(const ThreadTeam::Member& member,
                          int32_t layer_index) {
  const int64_t kv = shape_.kv_columns();
  const int64_t q_columns = shape_.q_columns();
  const auto [begin, end] =
      member.Share(static_cast<int64_t>(rows_.size()) * shape_.num_kv_heads);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t row = i / shape_.num_kv_heads;
    const int32_t kv_head = static_cast<int32_t>(i % shape_.num_kv_heads);
    const float* k = qkv_.data() + row * (q_columns + 2 * kv) + q_columns +
                     int64_t{kv_head} * shape_.head_dim;
    storage_.Write(Attention::kSelf, layer_index, kv_head,
                   rows_[row].entry->self_blocks.data(), rows_[row].position, k,
                   k + kv);
  }
}

// The parts of all contexts lie in a row, and the KV heads of each; every
// member takes a stretch of as many tokens of heads, which lie together in
// memory. Where a context has several parts, they are joined when all are
// there.
void Decoder::Attend(const ThreadTeam::Member& member,
                     const AttentionPlan& plan, int32_t layer_index,
                     int64_t q_stride) {
  const auto [begin, end] = member.Share(plan.num_tokens * plan.num_kv_heads);
  int64_t at = 0;  // tokens of heads before a part
  Part last = {};  // found, and not yet attended over
  const auto attend_last = [&](const Part& next) {
    if (last.context == nullptr) return;
    AttendPart(plan, last, next, layer_index, q_stride,
               members_[member.index()]);
  };
  for (const Context& context : plan.contexts) {
    const int64_t tokens = int64_t{context.len} * plan.num_kv_heads;
    if (at + tokens <= begin || at >= end) {
      at += tokens;
      continue;
    }
    for (int32_t i = 0; i < context.num_parts; ++i) {
      const int64_t n = std::min(kernels::kContextPart,
                                 context.len - i * kernels::kContextPart);
      // The heads that begin in this member's stretch.
      const auto head_at = [&](int64_t border) {
        return static_cast<int32_t>(std::clamp<int64_t>(
            (border - at + n - 1) / n, 0, plan.num_kv_heads));
      };
      const Part part = {&context, i, head_at(begin), head_at(end)};
      if (part.first_kv_head < part.end_kv_head) {
        attend_last(part);
        last = part;
      }
      at += n * plan.num_kv_heads;
    }
  }
  attend_last(last);
  if (plan.num_parts == 0) return;
  member.Barrier();
  const int64_t part_floats = kernels::PartFloats(shape_.head_dim);
  int64_t turn = 0;
  for (const Context& context : plan.contexts) {
    if (context.num_parts == 1) continue;
    const int64_t queries = int64_t{context.num_rows} * shape_.num_heads;
    for (int64_t query = 0; query < queries; ++query) {
      if (turn++ % member.count() != member.index()) continue;
      kernels_.join_parts(
          parts_.data() +
              (context.first_part * shape_.num_heads + query) * part_floats,
          queries * part_floats, context.num_parts, shape_.head_dim,
          attended_.data() +
              (int64_t{context.first_row} * shape_.num_heads + query) *
                  shape_.head_dim);
    }
  }
}

void Decoder::AttendPart(const AttentionPlan& plan, const Part& part,
                         const Part& next, int32_t layer_index,
                         int64_t q_stride, MemberBuffers& buffers) {
  const Context& context = *part.context;
  const int32_t dim = shape_.head_dim;
  const int32_t group = shape_.num_heads / plan.num_kv_heads;
  const int32_t num_kv_heads = part.end_kv_head - part.first_kv_head;
  // Calls fn with each group's first query head, its row in qkv_, and its place
  // among the kernel's queries.
  const auto for_groups = [&](auto fn) {
    for (int32_t kv_head = 0; kv_head < num_kv_heads; ++kv_head) {
      for (int32_t i = 0; i < context.num_rows; ++i) {
        fn((part.first_kv_head + kv_head) * group, i,
           (int64_t{kv_head} * context.num_rows + i) * group);
      }
    }
  };
  for_groups([&](int32_t head, int32_t i, int64_t query) {
    std::copy_n(
        qkv_.data() + (context.first_row + i) * q_stride + int64_t{head} * dim,
        group * dim, buffers.q.data() + query * dim);
  });
  const bool is_self = plan.attention == Attention::kSelf;
  const int32_t begin = part.index * kernels::kContextPart;
  const kernels::KvView next_view = storage_.View(
      plan.attention, layer_index, next.first_kv_head, next.context->blocks);
  kernels_.attend_decode(
      {.q = buffers.q.data(),
       .num_kv_heads = num_kv_heads,
       .num_rows = group * context.num_rows,
       .dim = dim,
       .kv = storage_.View(plan.attention, layer_index, part.first_kv_head,
                           context.blocks),
       .begin = begin,
       .end = std::min(begin + kernels::kContextPart, context.len),
       .bias = is_self
                   ? bias_.ForQuery(part.first_kv_head * group, context.len - 1)
                   : nullptr,
       .bias_stride = bias_.row_stride(),
       .parts = buffers.parts.data(),
       .next = next_view.base +
               next_view.block_ids[next.index * kernels::kContextPart /
                                   next_view.block_tokens] *
                   next_view.block_stride});
  // In parts_ and attended_ a row has all its query heads side by side.
  const int64_t part_floats = kernels::PartFloats(dim);
  for_groups([&](int32_t head, int32_t i, int64_t query) {
    const float* from = buffers.parts.data() + query * part_floats;
    if (context.num_parts == 1) {
      for (int32_t j = 0; j < group; ++j) {
        kernels_.join_parts(
            from + j * part_floats, part_floats, /*num_parts=*/1, dim,
            attended_.data() +
                ((context.first_row + i) * int64_t{shape_.num_heads} + head +
                 j) *
                    dim);
      }
    } else {
      std::copy_n(
          from, group * part_floats,
          parts_.data() + ((context.first_part +
                            int64_t{part.index} * context.num_rows + i) *
                               shape_.num_heads +
                           head) *
                              part_floats);
    }
  });
}

// The head's product for the rows that are asked about: they are moved
// together first.
void Decoder::WriteLogits(const ThreadTeam::Member& member) {
  const Architecture& architecture = weights_.architecture;
  const int64_t d_model = shape_.d_model;
  const float scale = architecture.logit_scale;
  // Every member finds the same places; each norms its own.
  int32_t num_asked = 0;
  float* first_logits = nullptr;
  for (size_t row = 0; row < rows_.size(); ++row) {
    if (rows_[row].logits == nullptr) continue;
    if (num_asked == 0) first_logits = rows_[row].logits;
    if (num_asked % member.count() == member.index()) {
      float* normed = normed_.data() + num_asked * d_model;
      kernels_.rms_norm(x_.data() + row * d_model, d_model, 1, shape_.d_model,
                        weights_.decoder_norm.data(), architecture.norm_epsilon,
                        normed);
      if (scale != 1) {
        for (int64_t i = 0; i < d_model; ++i) normed[i] *= scale;
      }
    }
    ++num_asked;
  }
  member.Barrier();
  // Entries are in order, so their logits lie in a row.
  if (num_asked > 0) {
    weights_.head.Run(member, normed_.data(), d_model, num_asked, first_logits,
                      architecture.vocab_size, /*accumulate=*/false);
  }
  member.Barrier();
}

}  // namespace sheaf
