// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/kernels/kernels.h"
#include "engine/kv_storage.h"
#include "engine/model/attention_plan.h"

namespace sheaf {

// The keys and values that the attentions of a step read next, for one member
// of the team. With many rows, products are bound by the multiplier and
// attention by memory, so the products prefetch for the attentions behind them.
//
// Not thread-safe: a member owns it.
class KvAhead {
 public:
  // A new step, so far without attentions.
  void Clear();
  // Appends an attention, in which the member has these shares of `plan`.
  // `storage` and its blocks must outlive the step.
  void Add(const KvStorage& storage, int32_t layer, const AttentionPlan& plan,
           absl::Span<const AttentionPlan::Share> shares);
  // After the last Add().
  void Finish();

  // The member begins the next attention, and reads itself what is left of it.
  void OnAttention();

  // For the products between two attentions; at its end without Finish().
  kernels::ReadAhead* cursor() { return &cursor_; }

 private:
  // More would leave the caches again before it is read.
  static constexpr size_t kMaxAhead = 2;  // attentions

  void LimitCursor();
  void AddTokens(const kernels::KvView& kv, const char* block,
                 int32_t num_heads, int32_t begin, int32_t end);

  std::vector<kernels::ReadAhead::Piece> pieces_;
  std::vector<size_t> ends_;  // of the pieces of each attention
  size_t num_begun_ = 0;      // attentions
  kernels::ReadAhead cursor_;
};

}  // namespace sheaf
