// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "engine/kernels/kernels.h"
#include "engine/model/linear.h"
#include "engine/model/shortlist.h"
#include "engine/model/weights.h"
#include "engine/output_tokens.h"
#include "engine/thread_team.h"

namespace sheaf {

// A row of the head's product: which logits are needed, and where they go.
struct HeadRow {
  const OutputTokens* output_tokens;  // null: the whole vocabulary
  float* logits;
};

// The head of a model with a vocabulary shortlist. It computes the logits of
// the tokens that a source allows, each to the same bit as the whole head does.
//
// A copy of the head's columns of the common tokens is multiplied with the rows
// of all segments together. Each segment has a copy of the columns that its
// source adds, made when it begins to decode. So the tokens of a segment depend
// on its source only, and a step reads few weights.
//
// Not thread-safe: the engine thread owns it. Several threads may call Run() at
// once, each with its own y.
class ShortHead {
 public:
  // Approximate bytes of a ShortHead: those of its large buffers.
  static int64_t Bytes(const Architecture& architecture,
                       const Shortlist& shortlist, WeightType type,
                       int32_t max_sequences);

  // The maximum number of tokens that a source adds to the common ones. A
  // source that adds more has the whole vocabulary.
  static constexpr int64_t kMaxOwnTokens = 4096;

  // At most `max_sequences` OutputTokens exist and rows are computed at a time.
  // Nothing is owned; all arguments outlive this. REQUIRES: the shortlist fits
  // the model (Shortlist::CheckFits()).
  ShortHead(const Weights& weights, const Shortlist& shortlist,
            ThreadTeam& team, const kernels::Kernels& kernels,
            int32_t max_sequences);

  // As ModelRunner::MakeOutputTokens(). They must not outlive this.
  std::unique_ptr<OutputTokens> MakeOutputTokens(
      absl::Span<const int32_t> source);

  // The floats that Run() needs for a row.
  int64_t row_floats() const { return ldy_; }

  // Computes the logits of `rows`, which all have OutputTokens, from x
  // [rows.size(), d_model]. `y` [rows.size(), row_floats()] is working memory.
  // All members call it; the logits are complete after the next barrier.
  // REQUIRES: rows with the same OutputTokens are adjacent.
  void Run(const ThreadTeam::Member& member, absl::Span<const HeadRow> rows,
           const float* x, float* y) const;

 private:
  class Tokens;

  // Sets own_ to the tokens that `source` adds, in ascending order.
  void FindOwn(absl::Span<const int32_t> source);
  // Multiplies `columns` with x [rows.size(), d_model] into y, whose rows are
  // ldy_ apart, and moves this member's part of it to the rows' logits. The
  // value of column j is logit places_of(row)[j] of a row.
  void RunColumns(const ThreadTeam::Member& member, const Linear& columns,
                  absl::Span<const HeadRow> rows, const float* x, float* y,
                  absl::FunctionRef<absl::Span<const int32_t>(const HeadRow&)>
                      places_of) const;

  const Weights& weights_;
  const Shortlist& shortlist_;
  ThreadTeam& team_;
  const kernels::Kernels& kernels_;
  const int64_t max_own_;
  const int64_t own_column_;  // where the own tokens begin in a row of y
  const int64_t ldy_;         // floats of a row of y
  Linear common_;
  std::vector<std::unique_ptr<Linear>> free_;  // subsets of no OutputTokens
  // Memory of FindOwn(), reused between calls.
  std::vector<bool> is_known_;  // [vocab_size]: common, or in own_
  std::vector<int32_t> own_;
};

}  // namespace sheaf
