// SPDX-License-Identifier: Apache-2.0

#include "engine/model/attention_plan.h"

#include <algorithm>

#include "engine/kernels/kernels.h"

namespace sheaf {

void AttentionPlan::Clear() {
  contexts_.clear();
  num_tokens_ = num_partials_ = 0;
  for (MemberShares& member : members_) member.count = 0;
}

void AttentionPlan::Add(const int32_t* blocks, int32_t len, int32_t first_row,
                        int32_t num_rows) {
  const int32_t num_parts =
      (len + kernels::kContextPart - 1) / kernels::kContextPart;
  for (int32_t done = 0; done < num_rows;) {
    const int32_t n = std::min(num_rows - done, kMaxContextRows);
    contexts_.push_back(
        {blocks, len, first_row + done, n, num_parts, num_partials_});
    num_tokens_ += len;
    if (num_parts > 1) num_partials_ += int64_t{num_parts} * n;
    done += n;
  }
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
    const int64_t size = int64_t{context.len} * num_kv_heads_;
    if (at + size <= begin || at >= end) {
      at += size;
      continue;
    }
    for (int32_t part = 0; part < context.num_parts; ++part) {
      const int64_t tokens = std::min(
          kernels::kContextPart, context.len - part * kernels::kContextPart);
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
