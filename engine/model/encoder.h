// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/kv_storage.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/embedding.h"
#include "engine/model/head_finisher.h"
#include "engine/model/relative_bias.h"
#include "engine/model/sublayers.h"
#include "engine/model/weights.h"
#include "engine/model_runner.h"
#include "engine/thread_team.h"

namespace sheaf {

// The encoder. All sources of a pass lie row after row in one matrix, without
// padding; only attention distinguishes them. A pass is a list of small units
// of work. It may stop after any of them and continue later. Its last units
// compute the cross-attention K/V of all decoder layers and write them to the
// KV blocks of the sources.
//
// Not thread-safe; it uses the team, so only the engine thread calls it.
class Encoder {
 public:
  // A pass has at most `max_tokens` tokens, or a single source of at most
  // `max_source_tokens`.
  Encoder(const Weights& weights, KvStorage& storage, ThreadTeam& team,
          const kernels::Kernels& kernels, int32_t max_tokens,
          int32_t max_source_tokens);

  // As in ModelRunner.
  void Begin(absl::Span<const EncodeEntry> entries);
  bool Advance(int64_t token_layers);
  void Drop(int32_t entry_index) { sources_[entry_index].is_dropped = true; }

  absl::Span<const float> output() const {
    const AlignedBuffer<float>& rows =
        weights_.architecture.has_final_norm ? normed_ : x_;
    return {rows.data(), static_cast<size_t>(num_rows_) * shape_.d_model};
  }

 private:
  struct Source {
    int32_t first_row;
    int32_t len;
    absl::Span<const int32_t> cross_blocks;
    bool is_dropped = false;
  };
  // In every layer kProject, kAttend and kFeedForward; after the last, kCross.
  enum class Phase { kProject, kAttend, kFeedForward, kCross };
  // Work that all members do together: some rows of the pass, or for kAttend
  // some (source, head) pairs.
  struct Unit {
    Phase phase;
    int32_t layer;
    int64_t begin, end;
  };
  // Working memory of one member of the team, for one KV head of one source.
  struct HeadBuffers {
    AlignedBuffer<char> k_panels;  // as pack_head writes them
    AlignedBuffer<char> v;
    AlignedBuffer<float> scratch;   // of attend_encode
    kernels::HeadUnits units = {};  // of what is packed
  };

  bool IsDone() const {
    return next_.phase == Phase::kCross && next_.begin == num_rows_;
  }
  Unit TakeUnit();
  int64_t PhaseEnd(Phase phase) const;
  // Multiply-adds of a unit, and those of a token in a layer except attention.
  int64_t WorkOf(const Unit& unit) const;
  int64_t WorkOfTokenLayer() const;
  void RunUnit(const ThreadTeam::Member& member, const Unit& unit);
  void Project(const ThreadTeam::Member& member, const Unit& unit);
  void FinishHeads(const ThreadTeam::Member& member, const Unit& unit);
  void Attend(const ThreadTeam::Member& member, const Unit& unit);
  void PackHead(const Source& source, int32_t kv_head, HeadBuffers& buffers);
  // Attends with what is packed in `buffers`.
  void AttendHead(int32_t layer_index, const Source& source, int32_t head,
                  HeadBuffers& buffers);
  void FeedForward(const ThreadTeam::Member& member, const Unit& unit);
  // Computes the keys and values of the source for the decoder's layers.
  void WriteCrossKv(const ThreadTeam::Member& member, const Unit& unit);
  void ProjectCrossKv(const ThreadTeam::Member& member, const float* output,
                      int32_t num_rows);
  int64_t cross_kv_columns() const {
    return int64_t{2} * weights_.architecture.decoder.num_layers *
           weights_.architecture.cross_kv_columns();
  }

  const Weights& weights_;
  KvStorage& storage_;
  ThreadTeam& team_;
  const kernels::Kernels& kernels_;
  const StackShape& shape_;
  const Sublayers sublayers_;
  const StackEmbedding embedding_;
  const LayerBiases biases_;
  const HeadFinisher finisher_;
  const HeadFinisher cross_keys_;  // of the decoder, for merged attention
  // Narrow where products round their inputs too.
  const kernels::EncodeType attention_type_;
  // Rows of a unit: many, so that weights are read rarely, but few enough that
  // the values between two products stay in the cache and a unit takes only a
  // few milliseconds.
  const int32_t unit_rows_;

  std::vector<Source> sources_;
  int32_t num_rows_ = 0;
  Unit next_ = {Phase::kCross, 0, 0, 0};  // where the remaining work begins
  std::vector<Unit> units_;               // of one Advance()

  AlignedBuffer<float> x_;         // [rows, d_model]
  AlignedBuffer<float> normed_;    // [rows, d_model]
  AlignedBuffer<float> qkv_;       // [rows, q_columns + 2 kv_columns]
  AlignedBuffer<float> attended_;  // [rows, q_columns]
  AlignedBuffer<float> cross_kv_;  // [rows of a unit, cross_kv_columns()]
  FeedForwardBuffers feed_forward_;
  std::vector<HeadBuffers> heads_;  // one per member
};

}  // namespace sheaf
