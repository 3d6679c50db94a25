#pragma once

#include <cstdint>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/kv_storage.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/relative_bias.h"
#include "engine/model/sublayers.h"
#include "engine/model/weights.h"
#include "engine/model_runner.h"
#include "engine/thread_team.h"

namespace sheaf {

// Is shown what the decoder's attentions read: the statistics that a checkpoint
// is converted by. Called on the thread that calls Decode().
class DecoderObserver {
 public:
  virtual ~DecoderObserver() = default;
  // `rows` [num_rows, d_model]: the normed input of a layer's self-attention,
  // or of its cross-attention's queries.
  virtual void OnAttentionInput(int32_t layer_index, Attention attention,
                                absl::Span<const float> rows) = 0;
};

// The decoder: one row for every token to compute, of all sequences together.
// A row attends over its own sequence's self K/V up to itself, and over its
// source's cross K/V, both in KV blocks; all else is products of all rows.
// Long contexts are cut in parts, always at the same places, so that the
// result does not depend on which member took which part.
//
// Not thread-safe; it uses the team, so only the engine thread calls it.
class Decoder {
 public:
  // At most `max_rows` rows go through at a time; longer steps take several
  // goes. Positions are below `max_positions`.
  Decoder(const Weights& weights, KvStorage& storage, ThreadTeam& team,
          const kernels::Kernels& kernels, int32_t max_rows,
          int32_t max_positions);

  // As in ModelRunner.
  void Decode(absl::Span<const DecodeEntry> entries, absl::Span<float> logits);

  // Null: nobody looks. Not owned.
  void set_observer(DecoderObserver* observer) { observer_ = observer; }

 private:
  struct Row {
    const DecodeEntry* entry;
    int32_t token;
    int32_t position;
    float* logits;  // null: nobody asks what follows this one
  };

  // Consecutive rows that attend over the same tokens: for self-attention one
  // row, for cross-attention all of a sequence's, and of its other beams'.
  struct Context {
    const int32_t* blocks;
    int32_t len;
    int32_t first_row, num_rows;
    int32_t num_parts;   // of kContextPart tokens
    int64_t first_part;  // where its parts lie in parts_, if there are several
  };
  // What is attended over in a step: the same in every layer.
  struct AttentionPlan {
    Attention attention;
    int32_t num_kv_heads;
    std::vector<Context> contexts;
    int64_t num_tokens = 0;  // of all contexts
    int64_t num_parts = 0;   // of contexts that have several
  };
  // What one call of the kernel attends over.
  struct Part {
    const Context* context;
    int32_t index;  // of the context's parts
    int32_t first_kv_head, end_kv_head;
  };
  // Working memory of one member of the team.
  struct MemberBuffers {
    AlignedBuffer q;      // [kMaxContextRows, H, head_dim]
    AlignedBuffer parts;  // [kMaxContextRows, H, PartFloats(head_dim)]
  };

  void PlanAttention();
  void AddContext(AttentionPlan& plan, const int32_t* blocks, int32_t len,
                  int32_t first_row, int32_t num_rows);
  void RunRows(const ThreadTeam::Member& member);
  void WriteSelfKv(const ThreadTeam::Member& member, int32_t layer_index);
  // Reads the queries in qkv_, whose rows are `q_stride` floats apart.
  void Attend(const ThreadTeam::Member& member, const AttentionPlan& plan,
              int32_t layer_index, int64_t q_stride);
  // `next` is the part that this member attends over after this one.
  void AttendPart(const AttentionPlan& plan, const Part& part, const Part& next,
                  int32_t layer_index, int64_t q_stride,
                  MemberBuffers& buffers);
  void WriteLogits(const ThreadTeam::Member& member);
  void ShowInput(const ThreadTeam::Member& member, int32_t layer_index,
                 Attention attention);

  const Weights& weights_;
  KvStorage& storage_;
  ThreadTeam& team_;
  const kernels::Kernels& kernels_;
  const StackShape& shape_;
  const RelativeBias bias_;
  const int32_t max_rows_;
  DecoderObserver* observer_ = nullptr;

  std::vector<Row> rows_;
  AttentionPlan self_plan_;
  AttentionPlan cross_plan_;

  AlignedBuffer x_;         // [rows, d_model]
  AlignedBuffer normed_;    // [rows, d_model]
  AlignedBuffer qkv_;       // [rows, q_columns + 2 kv_columns]
  AlignedBuffer attended_;  // [rows, q_columns]
  FeedForwardBuffers feed_forward_;
  std::vector<MemberBuffers> members_;
  // [context parts, query heads, PartFloats(head_dim)] of contexts with several
  std::vector<float> parts_;
};

}  // namespace sheaf
