// SPDX-License-Identifier: Apache-2.0

#include "engine/model/source_aligner.h"

#include <algorithm>

#include "base/check.h"

namespace sheaf {

SourceAligner::SourceAligner(const Architecture& architecture,
                             const KvStorage& storage,
                             const kernels::Kernels& kernels,
                             const HeadFinisher& finisher, int32_t num_members)
    : architecture_(architecture),
      storage_(storage),
      kernels_(kernels),
      finisher_(finisher),
      last_layer_(architecture.alignment.heads.back().layer) {
  for (int32_t i = 0; i < num_members; ++i) {
    members_.push_back(
        {AlignedBuffer<float>(architecture.decoder.head_dim), {}});
  }
}

void SourceAligner::Add(int64_t row_index, const DecodeEntry& entry,
                        int32_t token_index) {
  rows_.push_back({row_index, &entry, token_index, /*first_sum=*/0});
}

void SourceAligner::Finish() {
  int64_t num_sums = 0;
  int32_t longest = 0;
  for (Row& row : rows_) {
    row.first_sum = num_sums;
    num_sums += row.entry->source_len;
    longest = std::max(longest, row.entry->source_len);
  }
  sums_.assign(num_sums, 0.0f);
  const size_t num_scores =
      (longest + kernels::kPanel - 1) / kernels::kPanel * kernels::kPanel;
  for (MemberBuffers& member : members_) {
    if (member.scores.size() < num_scores) member.scores.resize(num_scores);
  }
}

void SourceAligner::TakeLayer(const ThreadTeam::Member& member, int32_t layer,
                              const float* queries, int64_t stride) {
  if (rows_.empty() || layer > last_layer_) return;
  const auto [begin, end] = member.Share(static_cast<int64_t>(rows_.size()));
  for (int64_t i = begin; i < end; ++i) {
    const Row& row = rows_[i];
    for (const AlignmentHead& head : architecture_.alignment.heads) {
      if (head.layer != layer) continue;
      AddHead(row, head,
              queries + row.row_index * stride +
                  int64_t{head.head} * architecture_.decoder.head_dim,
              members_[member.index()]);
    }
    if (layer == last_layer_) WriteResult(row);
  }
}

void SourceAligner::AddHead(const Row& row, const AlignmentHead& head,
                            const float* query, MemberBuffers& buffers) {
  const StackShape& shape = architecture_.decoder;
  const DecodeEntry& entry = *row.entry;
  float* q = buffers.query.data();
  std::copy_n(query, shape.head_dim, q);
  if (architecture_.has_merged_attention && !finisher_.is_idle()) {
    finisher_.FinishQueries(head.layer,
                            entry.num_computed_tokens + row.token_index, q,
                            /*num_heads=*/1);
  }
  for (int32_t i = 0; i < shape.head_dim; ++i) q[i] *= shape.score_scale;
  const int32_t group = shape.num_heads / architecture_.num_cross_kv_heads;
  const int32_t len = entry.source_len;
  float* scores = buffers.scores.data();
  kernels_.score_keys(
      {.q = q,
       .num_rows = 1,
       .dim = shape.head_dim,
       .kv = storage_.View(Attention::kCross, head.layer, head.head / group,
                           entry.cross_blocks.data()),
       .len = len,
       .scores = scores});
  if (shape.score_softcap != 0) {
    kernels_.soft_cap(scores, len, shape.score_softcap);
  }
  const double sum = kernels_.exp_weights(
      scores, len, kernels_.max_and_sum(scores, len).max, /*scale=*/1, scores);
  const float factor = static_cast<float>(1 / sum);
  float* sums = sums_.data() + row.first_sum;
  for (int32_t t = 0; t < len; ++t) {
    scores[t] *= factor;
    sums[t] += scores[t];
  }
  if (observer_ != nullptr) {
    observer_->OnSourceWeights(entry, row.token_index, head,
                               absl::MakeConstSpan(scores, len));
  }
}

void SourceAligner::WriteResult(const Row& row) const {
  const DecodeEntry& entry = *row.entry;
  const float* sums = sums_.data() + row.first_sum;
  const float* best =
      std::max_element(sums + entry.first_source, sums + entry.end_source);
  entry.attended[row.token_index] = static_cast<int32_t>(best - sums);
}

}  // namespace sheaf
