// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/kv_storage.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/embedding.h"
#include "engine/model/encoder_units.h"
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
// The members of the team compute every unit together, or, where
// PaysToSplitRows(), each has some of the sources and their units for itself.
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
  using Source = EncodedSource;
  using Unit = EncoderUnit;
  using Phase = EncoderUnit::Phase;
  // Working memory of one member of the team, for one KV head of one source.
  struct HeadBuffers {
    AlignedBuffer<char> k_panels;  // as pack_head writes them
    AlignedBuffer<char> v;
    AlignedBuffer<float> scratch;   // of attend_encode
    kernels::HeadUnits units = {};  // of what is packed
  };

  // Some sources of a pass, and what is needed to compute them.
  struct Part {
    Part(const Weights& weights, const kernels::Kernels& kernels,
         int32_t max_source_tokens, int32_t num_members);
    EncoderUnits units;
    absl::Span<const Unit> next_units;  // of one Advance()
    SublayerBuffers buffers;
    AlignedBuffer<float> cross_kv;   // [rows of a unit, columns of all layers]
    std::vector<HeadBuffers> heads;  // one per member
    ThreadTeam solo_team = ThreadTeam(/*size=*/1);
  };

  // Begins the parts of the pass: one for the whole team, or one per member.
  void BeginParts();
  // Fills ends_ with the parts of the members. Returns false if the whole team
  // is to compute all sources together.
  bool SplitSources();
  // Runs the next units of a part with the whole team.
  void RunTogether(Part& part);
  void RunUnits(const ThreadTeam::Member& member, absl::Span<const Unit> units,
                Part& part);
  void Project(const ThreadTeam::Member& member, const Unit& unit, Part& part);
  void FinishHeads(const ThreadTeam::Member& member, const Unit& unit);
  void Attend(const ThreadTeam::Member& member, const Unit& unit, Part& part);
  void PackHead(const Source& source, int32_t kv_head, HeadBuffers& buffers);
  // Attends with what is packed in `buffers`.
  void AttendHead(int32_t layer_index, const Source& source, int32_t head,
                  HeadBuffers& buffers);
  void FeedForward(const ThreadTeam::Member& member, const Unit& unit,
                   Part& part);
  // Computes the keys and values of the source for the decoder's layers.
  void WriteCrossKv(const ThreadTeam::Member& member, const Unit& unit,
                    Part& part);
  void ProjectCrossKv(const ThreadTeam::Member& member,
                      const LinearInput& output, int32_t num_rows,
                      float* cross_kv);

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
  const int64_t encode_bytes_;  // of weights that a pass reads

  std::vector<Source> sources_;
  int32_t num_rows_ = 0;
  // At least one. The first has room for the whole team.
  std::vector<std::unique_ptr<Part>> parts_;
  std::vector<int64_t> work_;  // of each source, in multiply-adds
  // The end of each part's sources; one if the team computes all together.
  std::vector<int32_t> ends_;

  AlignedBuffer<float> x_;         // [rows, d_model]
  AlignedBuffer<float> normed_;    // [rows, d_model]
  AlignedBuffer<float> qkv_;       // [rows, q_columns + 2 kv_columns]
  AlignedBuffer<float> attended_;  // [rows, q_columns]
};

}  // namespace sheaf
