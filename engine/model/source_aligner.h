// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/kernels/kernels.h"
#include "engine/kv_storage.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/architecture.h"
#include "engine/model/head_finisher.h"
#include "engine/model_runner.h"
#include "engine/thread_team.h"

namespace sheaf {

// Receives the attention of single heads over sources: the statistics by which
// alignment heads are chosen. Members of a team call it at once, for different
// rows.
class AlignmentObserver {
 public:
  virtual ~AlignmentObserver() = default;
  // `weights` [source_len]: the softmax over the source of token `token_index`
  // of the entry.
  virtual void OnSourceWeights(const DecodeEntry& entry, int32_t token_index,
                               const AlignmentHead& head,
                               absl::Span<const float> weights) = 0;
};

// Finds the source positions to which rows of a decode step attend most
// (DecodeEntry::attended). For each row that asks, the softmax over the scores
// of the source is summed over Architecture::alignment's heads, and the
// position with the largest sum is the first among equals. With merged
// attention, the softmax is over the source only.
//
// A row's result depends on its query and its source only: neither on the other
// rows nor on which member computes it. Layers and heads follow each other in
// one order.
//
// Clear() and Add() are called by one thread while no member runs. Within a
// run, each layer's calls are behind a barrier.
class SourceAligner {
 public:
  // All arguments outlive this. `num_members`: the size of the thread team.
  // `finisher` finishes the queries of merged attention.
  SourceAligner(const Architecture& architecture, const KvStorage& storage,
                const kernels::Kernels& kernels, const HeadFinisher& finisher,
                int32_t num_members);

  void Clear() { rows_.clear(); }
  // Adds token `token_index` of the entry, which asks, as row `row_index` of
  // the queries.
  void Add(int64_t row_index, const DecodeEntry& entry, int32_t token_index);
  // After the last Add(): makes room for the sums.
  void Finish();

  // Takes the scores of a layer. `queries` [rows, ...] are those of the
  // cross-attention or of merged attention, not yet scaled, with row stride
  // `stride`. After the last layer the results are written. Called by each
  // member.
  void TakeLayer(const ThreadTeam::Member& member, int32_t layer,
                 const float* queries, int64_t stride);

  // Null for none. Not owned.
  void set_observer(AlignmentObserver* observer) { observer_ = observer; }

 private:
  struct Row {
    int64_t row_index;
    const DecodeEntry* entry;
    int32_t token_index;
    int64_t first_sum;  // in sums_
  };
  // Working memory of one member of the team.
  struct MemberBuffers {
    AlignedBuffer<float> query;  // [head_dim]
    std::vector<float> scores;   // [longest source, rounded up to a panel]
  };

  void AddHead(const Row& row, const AlignmentHead& head, const float* query,
               MemberBuffers& buffers);
  void WriteResult(const Row& row) const;

  const Architecture& architecture_;
  const KvStorage& storage_;
  const kernels::Kernels& kernels_;
  const HeadFinisher& finisher_;
  const int32_t last_layer_;  // of the heads
  AlignmentObserver* observer_ = nullptr;
  std::vector<Row> rows_;
  std::vector<float> sums_;  // of all rows, [source_len] each
  std::vector<MemberBuffers> members_;
};

}  // namespace sheaf
