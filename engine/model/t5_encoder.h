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

// The encoder: all sources of a pass lie row after row in one matrix, without
// padding; only attention knows where one ends. A pass may stop between layers
// and go on later. At its end the cross-attention K/V of all decoder layers are
// computed and written into the sources' KV blocks.
//
// Not thread-safe; it uses the team, so only the engine thread calls it.
class T5Encoder {
 public:
  // `max_tokens` in a pass, `max_source_tokens` in a source.
  T5Encoder(const T5Weights& weights, KvStorage& storage, ThreadTeam& team,
            const kernels::Kernels& kernels, int32_t max_tokens,
            int32_t max_source_tokens);

  // As in ModelRunner.
  void Begin(absl::Span<const EncodeEntry> entries);
  bool Advance(int64_t token_layers);
  void Drop(int32_t entry_index) { sources_[entry_index].is_dropped = true; }

  absl::Span<const float> output() const {
    return {normed_.data(),
            static_cast<size_t>(num_rows_) * weights_.config.d_model};
  }

 private:
  struct Source {
    int32_t first_row;
    int32_t len;
    absl::Span<const int32_t> cross_blocks;
    bool is_dropped = false;
  };
  // Working memory of one member of the team: one head of one source.
  struct HeadBuffers {
    AlignedBuffer k_panels;  // [len / 16][d_kv][16]
    AlignedBuffer v;         // [len, d_kv]
    AlignedBuffer scores;    // [6, kContextPart]
  };

  void RunLayer(const ThreadTeam::Member& member, const T5EncoderLayer& layer);
  void Attend(const ThreadTeam::Member& member);
  void AttendHead(const Source& source, int32_t head, HeadBuffers& buffers);
  void WriteCrossKv(const ThreadTeam::Member& member);

  const T5Weights& weights_;
  KvStorage& storage_;
  ThreadTeam& team_;
  const kernels::Kernels& kernels_;
  const RelativeBias bias_;

  std::vector<Source> sources_;
  int32_t num_rows_ = 0;
  int32_t next_layer_ = 0;

  AlignedBuffer x_;         // [rows, d_model]
  AlignedBuffer normed_;    // [rows, d_model]
  AlignedBuffer qkv_;       // [rows, 3 * H * d_kv]
  AlignedBuffer attended_;  // [rows, H * d_kv]
  AlignedBuffer cross_kv_;  // [kCrossRows, columns of cross_kv]
  FeedForwardBuffers feed_forward_;
  std::vector<HeadBuffers> heads_;  // one a member
};

}  // namespace sheaf
