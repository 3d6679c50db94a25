#pragma once

#include <cstdint>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/kv_storage.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/relative_bias.h"
#include "engine/model/t5_layers.h"
#include "engine/model/t5_weights.h"
#include "engine/model_runner.h"
#include "engine/thread_team.h"

namespace sheaf {

// Is shown what the decoder's attentions read: the statistics that a checkpoint
// is converted by. Called on the thread that calls Decode().
class T5DecoderObserver {
 public:
  virtual ~T5DecoderObserver() = default;
  // `rows` [num_rows, d_model]: the normed input of a layer's self-attention,
  // or of its cross-attention's queries.
  virtual void OnAttentionInput(int32_t layer_index, Attention attention,
                                absl::Span<const float> rows) = 0;
};

// The decoder: one row for every token to compute, of all sequences together.
// A row attends over its own sequence's self K/V up to itself, and over its
// source's cross K/V, both in KV blocks; all else is products of all rows.
//
// Not thread-safe; it uses the team, so only the engine thread calls it.
class T5Decoder {
 public:
  // At most `max_rows` rows go through at a time; longer steps take several
  // goes. Positions are below `max_positions`, sources at most
  // `max_source_tokens` long.
  T5Decoder(const T5Weights& weights, KvStorage& storage, ThreadTeam& team,
            const kernels::Kernels& kernels, int32_t max_rows,
            int32_t max_positions, int32_t max_source_tokens);

  // As in ModelRunner.
  void Decode(absl::Span<const DecodeEntry> entries, absl::Span<float> logits);

  // Null: nobody looks. Not owned.
  void set_observer(T5DecoderObserver* observer) { observer_ = observer; }

 private:
  struct Row {
    const DecodeEntry* entry;
    int32_t token;
    int32_t position;
    float* logits;  // null: nobody asks what follows this one
  };

  void RunRows(const ThreadTeam::Member& member);
  void SelfAttention(const ThreadTeam::Member& member, int32_t layer_index);
  void CrossAttention(const ThreadTeam::Member& member, int32_t layer_index);
  void WriteSelfKv(int32_t layer_index, int32_t row, int32_t kv_head);
  void WriteLogits(const ThreadTeam::Member& member);
  void ShowInput(const ThreadTeam::Member& member, int32_t layer_index,
                 Attention attention);

  const T5Weights& weights_;
  KvStorage& storage_;
  ThreadTeam& team_;
  const kernels::Kernels& kernels_;
  const RelativeBias bias_;
  const int32_t max_rows_;
  T5DecoderObserver* observer_ = nullptr;

  std::vector<Row> rows_;

  AlignedBuffer x_;         // [rows, d_model]
  AlignedBuffer normed_;    // [rows, d_model]
  AlignedBuffer qkv_;       // [rows, (H + 2 G) * d_kv]
  AlignedBuffer attended_;  // [rows, H * d_kv]
  FeedForwardBuffers feed_forward_;
  std::vector<AlignedBuffer> scores_;  // one a member
};

}  // namespace sheaf
