// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/kv_storage.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/attention_plan.h"
#include "engine/model/decoder_tables.h"
#include "engine/model/kv_ahead.h"
#include "engine/model/short_head.h"
#include "engine/model/source_aligner.h"
#include "engine/model/sublayers.h"
#include "engine/model/weights.h"
#include "engine/model_runner.h"
#include "engine/thread_team.h"

namespace sheaf {

// Receives what the decoder's attentions read: the statistics that conversion
// goes by. Called on the thread that calls Decode().
class DecoderObserver {
 public:
  virtual ~DecoderObserver() = default;
  // `rows` [num_rows, d_model]: what the products of a layer's self-attention
  // read, or those of its cross-attention's queries.
  virtual void OnAttentionInput(int32_t layer_index, Attention attention,
                                absl::Span<const float> rows) = 0;
};

// The decoder: one row per token to compute, of all sequences together. A row
// attends over its own sequence's self K/V up to itself, and over its source's
// cross K/V, both in KV blocks. Everything else is products of all rows. Long
// contexts are cut into parts, always at the same places, so that the result
// does not depend on which member computes which part.
//
// Not thread-safe; the thread that may run the team calls it.
class Decoder {
 public:
  // At most `max_rows` rows are computed at a time; longer steps take several
  // turns.
  Decoder(const Weights& weights, const DecoderTables& tables,
          KvStorage& storage, ThreadTeam& team, const kernels::Kernels& kernels,
          int32_t max_rows);

  // As in ModelRunner.
  void Decode(absl::Span<const DecodeEntry> entries, absl::Span<float> logits);

  // Null for none. Not owned. Entries may have OutputTokens only of this one.
  void set_short_head(const ShortHead* head);

  // Null for none. Not owned.
  void set_observer(DecoderObserver* observer) { observer_ = observer; }
  void set_alignment_observer(AlignmentObserver* observer) {
    aligner_.set_observer(observer);
  }

 private:
  struct Row {
    const DecodeEntry* entry;
    int32_t token;
    int32_t position;  // in the sequence
    int32_t place;     // of its position's vector (StackEmbedding)
    float* logits;     // null: the logits of this row are not needed
  };
  // Working memory of one member of the team.
  struct MemberBuffers {
    AlignedBuffer<float> q;      // [kMaxContextRows, H, head_dim]
    AlignedBuffer<float> parts;  // [kMaxContextRows, H, PartFloats(head_dim)]
    KvAhead kv_ahead = {};
  };
  // The self-attention of all layers that see the same tokens.
  struct SelfPlan {
    std::optional<Window> window;
    AttentionPlan plan;
  };
  // One attention of one layer.
  struct AttentionCall {
    AttentionPlan& plan;
    int32_t layer_index;
    int64_t q_stride;  // between the rows of queries in qkv_
    bool is_self;
  };

  // Between the rows of self-attention in qkv_.
  int64_t SelfRowFloats() const {
    return shape_.q_columns() + 2 * shape_.kv_columns();
  }
  void MakePlans();
  void PlanAttention();
  // Adds the contexts of all rows in their sources, and in their sequences.
  void PlanSources(AttentionPlan& plan);
  void PlanSequences(SelfPlan& self);
  void RunRows(const ThreadTeam::Member& member);
  void PlanAhead(const ThreadTeam::Member& member);
  // Null for a member that the team has left out.
  KvAhead* AheadOf(const ThreadTeam::Member& member) {
    return member.index() < member.count() ? &members_[member.index()].kv_ahead
                                           : nullptr;
  }
  kernels::ReadAhead* CursorOf(const ThreadTeam::Member& member) {
    KvAhead* const ahead = AheadOf(member);
    return ahead == nullptr ? nullptr : ahead->cursor();
  }
  void EmbedRows(const ThreadTeam::Member& member);
  void AddSelfAttention(const ThreadTeam::Member& member, int32_t layer_index);
  void AddCrossAttention(const ThreadTeam::Member& member, int32_t layer_index);
  void ProjectHeads(const ThreadTeam::Member& member, const DecoderLayer& layer,
                    const LinearInput& input);
  // Each member writes the keys and values of its share of all heads.
  void WriteShareOfSelfKv(const ThreadTeam::Member& member,
                          int32_t layer_index);
  // Finishes and writes the key of one head of a row, and writes its value.
  void WriteSelfKv(int32_t layer_index, int64_t row_index, int32_t kv_head);
  void Attend(const ThreadTeam::Member& member, const AttentionCall& call);
  // If all rows are lone, writes the new key and value first that the share
  // reads, because no other share reads them. `next` is the share that this
  // member computes after this one.
  void AttendShare(const AttentionCall& call, const AttentionPlan::Share& share,
                   const AttentionPlan::Share& next, MemberBuffers& buffers);
  // Copies the queries of a share, finished and scaled, to q
  // [kv heads of the share, rows of the context, group, head_dim].
  void CopyQueries(const AttentionCall& call, const AttentionPlan::Share& share,
                   float* q) const;
  // Moves the results in `buffers` to attended_, or to parts_ if a row has
  // several parts.
  void StoreShare(const AttentionCall& call, const AttentionPlan::Share& share,
                  const MemberBuffers& buffers);
  void JoinParts(const ThreadTeam::Member& member, const AttentionPlan& plan);
  void WriteLogits(const ThreadTeam::Member& member);
  // Computes the logits of rows [first, end) of head_rows_, which either all
  // have OutputTokens or none.
  void RunHead(const ThreadTeam::Member& member, int64_t first, int64_t end);
  void CapOwnSlices(const ThreadTeam::Member& member, int32_t num_rows,
                    float* logits) const;
  // Writes what the head reads of a row to out [d_model].
  void FinishRow(int64_t row, float* out) const;
  // Shows the observer, if there is one, what an attention reads.
  void ShowInput(const ThreadTeam::Member& member, int32_t layer_index,
                 Attention attention, const float* input);

  const Weights& weights_;
  KvStorage& storage_;
  ThreadTeam& team_;
  const kernels::Kernels& kernels_;
  const StackShape& shape_;
  const Sublayers sublayers_;
  const StackEmbedding& embedding_;
  const LayerBiases& biases_;
  const HeadFinisher& finisher_;
  const int32_t max_rows_;
  const int32_t max_positions_;
  const ShortHead* short_head_ = nullptr;
  DecoderObserver* observer_ = nullptr;

  std::vector<Row> rows_;
  // Whether each row is the only one of its sequence, so that no row attends
  // over what another row of this step writes.
  bool has_lone_rows_ = false;
  // Whether the keys and values of the step are too large for the caches.
  bool must_read_ahead_ = false;
  std::vector<HeadRow> head_rows_;  // of the rows whose logits are needed
  // In these, a row has a context of its own. With merged attention it also
  // shares one of its source, as in cross_plan_.
  std::vector<SelfPlan> self_plans_;
  std::vector<int32_t> plan_of_layer_;  // index in self_plans_
  SourceAligner aligner_;
  AttentionPlan cross_plan_;  // the rows of all beams of a source share one

  AlignedBuffer<float> x_;         // [rows, d_model]
  AlignedBuffer<float> normed_;    // [rows, d_model]
  AlignedBuffer<float> qkv_;       // [rows, q_columns + 2 kv_columns]
  AlignedBuffer<float> attended_;  // [rows, q_columns]
  AlignedBuffer<float> short_y_;   // of short_head_, if there is one
  SublayerBuffers buffers_;
  std::vector<MemberBuffers> members_;
  // [num_partials, H, PartFloats(head_dim)]; AttentionPlan has the order
  std::vector<float> parts_;
};

}  // namespace sheaf
