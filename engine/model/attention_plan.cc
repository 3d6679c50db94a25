// SPDX-License-Identifier: Apache-2.0

#include "engine/model/attention_plan.h"

#include <algorithm>

#include "engine/kernels/kernels.h"

namespace sheaf {

void AttentionPlan::Clear() {
  contexts_.clear();
  row_parts_.clear();
  num_tokens_ = num_partials_ = 0;
  for (MemberShares& member : members_) member.count = 0;
}

void AttentionPlan::Add(Attention attention, const int32_t* blocks,
                        int32_t begin, int32_t end, int32_t first_row,
                        int32_t num_rows) {
  const int32_t num_parts =
      (end - begin + kernels::kContextPart - 1) / kernels::kContextPart;
  const size_t end_row = first_row + num_rows;
  if (row_parts_.size() < end_row) row_parts_.resize(end_row);
  for (int32_t row = first_row; row < first_row + num_rows;) {
    const int32_t n = std::min(first_row + num_rows - row, kMaxContextRows);
    contexts_.push_back({attention, blocks, begin, end, row, n, num_parts,
                         row_parts_[row].count});
    num_tokens_ += end - begin;
    for (const int32_t block_end = row + n; row < block_end; ++row) {
      row_parts_[row].count += num_parts;
    }
  }
}

void AttentionPlan::Finish() {
  for (RowParts& parts : row_parts_) {
    if (parts.count == 1) continue;
    parts.first = num_partials_;
    num_partials_ += parts.count;
  }
}

int32_t AttentionPlan::PartBegin(const Share& share) const {
  return contexts_[share.context].begin + share.part * kernels::kContextPart;
}

int32_t AttentionPlan::PartEnd(const Share& share) const {
  return std::min(PartBegin(share) + kernels::kContextPart,
                  contexts_[share.context].end);
}

absl::Span<const AttentionPlan::Share> AttentionPlan::SharesOf(int32_t member,
                                                               int32_t count) {
  if (member >= count) return {};
  MemberShares& cached = members_[member];
  if (cached.count != count) {
    const int64_t all = num_tokens_ * num_kv_heads_;
    cached.shares.clear();
    FindShares(all * member / count, all * (member + 1) / count, cached.shares);
    cached.count = count;
  }
  return cached.shares;
}

// Appends the parts whose heads begin in [begin, end), counted in tokens times
// heads.
void AttentionPlan::FindShares(int64_t begin, int64_t end,
                               std::vector<Share>& shares) const {
  int64_t at = 0;
  for (size_t i = 0; i < contexts_.size(); ++i) {
    const Context& context = contexts_[i];
    const int32_t len = context.end - context.begin;
    const int64_t size = int64_t{len} * num_kv_heads_;
    if (at + size <= begin || at >= end) {
      at += size;
      continue;
    }
    for (int32_t part = 0; part < context.num_parts; ++part) {
      const int64_t tokens =
          std::min(kernels::kContextPart, len - part * kernels::kContextPart);
      const auto first_head_from = [&](int64_t border) {
        return static_cast<int32_t>(std::clamp<int64_t>(
            (border - at + tokens - 1) / tokens, 0, num_kv_heads_));
      };
      const Share share = {static_cast<int32_t>(i), part,
                           first_head_from(begin), first_head_from(end)};
      if (share.first_kv_head < share.end_kv_head) shares.push_back(share);
      at += tokens * num_kv_heads_;
    }
  }
}

}  // namespace sheaf
