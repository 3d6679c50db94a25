// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/kv_block_pool.h"

namespace sheaf {

// Plans an attention of one decode step: the contexts of its rows, and which
// member of the thread team computes which part of them. A plan serves all
// layers that attend over the same tokens. It knows no weights and no threads.
//
// A row may have several contexts, its own tokens and those of its source, over
// all of which there is one softmax. The parts of all contexts, and the KV
// heads of each part, form one sequence in the order of memory. Every member
// gets a range of it that has an equal number of tokens times heads, rounded to
// whole heads.
//
// Invariant: for every number of members, their shares cover each (context,
// part, KV head) exactly once. The parts do not depend on the number of
// members, so neither does the result.
//
// Clear(), Add() and Finish() are called by one thread while no member runs.
class AttentionPlan {
 public:
  // Rows that attend over a context in one call of a kernel: at least all beams
  // of a request.
  static constexpr int32_t kMaxContextRows = 16;

  // Consecutive rows that attend over the same tokens, at most kMaxContextRows.
  struct Context {
    Attention attention;  // whose tokens: the sequence's or the source's
    const int32_t* blocks;
    int32_t begin, end;  // tokens; begin is a multiple of kernels::kPanel
    int32_t first_row, num_rows;
    int32_t num_parts;   // of kernels::kContextPart tokens, from `begin` on
    int32_t first_part;  // the place of its first part among those of a row
  };

  // Parts of all contexts of a row. If there are several, their results are
  // partial, lie side by side from `first` on, and are joined at the end.
  struct RowParts {
    int64_t first;
    int32_t count;
  };

  // The work of one call of a kernel.
  struct Share {
    int32_t context;  // index in contexts()
    int32_t part;     // of the context
    int32_t first_kv_head, end_kv_head;
  };

  // `num_members`: the size of the thread team.
  AttentionPlan(int32_t num_kv_heads, int32_t num_members)
      : num_kv_heads_(num_kv_heads), members_(num_members) {}

  void Clear();

  // Adds rows that attend over tokens [begin, end) in `blocks`, as one or more
  // contexts. REQUIRES: begin < end, begin is a multiple of kernels::kPanel,
  // num_rows > 0, and these rows have equally many parts so far.
  void Add(Attention attention, const int32_t* blocks, int32_t begin,
           int32_t end, int32_t first_row, int32_t num_rows);

  // After the last Add(): finds the places of partial results.
  void Finish();

  int32_t num_kv_heads() const { return num_kv_heads_; }
  absl::Span<const Context> contexts() const { return contexts_; }
  absl::Span<const RowParts> row_parts() const { return row_parts_; }  // by row
  int64_t num_partials() const { return num_partials_; }

  // The first token of a part, and the end of its tokens.
  int32_t PartBegin(const Share& share) const;
  int32_t PartEnd(const Share& share) const;

  // The shares of one member out of `count`, in the order of memory; none if
  // member >= count. Computed once per step, unless `count` changes, because
  // the team may shrink at a barrier. Each member may call this for itself
  // while others do.
  absl::Span<const Share> SharesOf(int32_t member, int32_t count);

 private:
  // Written by its member only, so it has its own cache line.
  struct alignas(64) MemberShares {
    int32_t count = 0;  // that `shares` were computed for; 0: not yet
    std::vector<Share> shares;
  };

  void FindShares(int64_t begin, int64_t end, std::vector<Share>& shares) const;

  const int32_t num_kv_heads_;
  std::vector<Context> contexts_;
  std::vector<RowParts> row_parts_;
  int64_t num_tokens_ = 0;  // of all contexts
  int64_t num_partials_ = 0;
  std::vector<MemberShares> members_;
};

}  // namespace sheaf
