// SPDX-License-Identifier: Apache-2.0

#include "engine/model/kv_ahead.h"

#include <algorithm>

namespace sheaf {

void KvAhead::Clear() {
  pieces_.clear();
  ends_.clear();
  num_begun_ = 0;
  cursor_ = {};
}

void KvAhead::Add(const KvStorage& storage, int32_t layer,
                  const AttentionPlan& plan,
                  absl::Span<const AttentionPlan::Share> shares) {
  for (const AttentionPlan::Share& share : shares) {
    const AttentionPlan::Context& context = plan.contexts()[share.context];
    const kernels::KvView kv = storage.View(
        context.attention, layer, share.first_kv_head, context.blocks);
    const int32_t num_heads = share.end_kv_head - share.first_kv_head;
    const int32_t size = kv.block_tokens;
    int32_t end = 0;
    for (int32_t token = plan.PartBegin(share); token < plan.PartEnd(share);
         token = end) {
      end = std::min(plan.PartEnd(share), token - token % size + size);
      const char* block =
          kv.base + kv.block_ids[token / size] * kv.block_stride;
      AddTokens(kv, block, num_heads, token % size, (end - 1) % size + 1);
    }
  }
  ends_.push_back(pieces_.size());
}

// Tokens [begin, end) of a block, in whole panels.
void KvAhead::AddTokens(const kernels::KvView& kv, const char* block,
                        int32_t num_heads, int32_t begin, int32_t end) {
  end = (end + kernels::kPanel - 1) / kernels::kPanel * kernels::kPanel;
  if (begin == 0 && end == kv.block_tokens) {
    pieces_.push_back({block, num_heads * kv.head_stride});
    return;
  }
  const int64_t values = kv.head_stride / 2;
  const int64_t token_bytes = values / kv.block_tokens;
  for (int32_t head = 0; head < num_heads; ++head, block += kv.head_stride) {
    const char* keys = block + begin * token_bytes;
    const int64_t bytes = (end - begin) * token_bytes;
    pieces_.push_back({keys, bytes});
    pieces_.push_back({keys + values, bytes});
  }
}

void KvAhead::Finish() {
  cursor_.next = pieces_.data();
  LimitCursor();
}

void KvAhead::OnAttention() {
  if (num_begun_ == ends_.size()) return;
  const kernels::ReadAhead::Piece* next = pieces_.data() + ends_[num_begun_++];
  if (cursor_.next < next) {
    cursor_.next = next;
    cursor_.offset = 0;
  }
  LimitCursor();
}

void KvAhead::LimitCursor() {
  const size_t last = std::min(num_begun_ + kMaxAhead, ends_.size()) - 1;
  cursor_.end = pieces_.data() + ends_[last];
}

}  // namespace sheaf
