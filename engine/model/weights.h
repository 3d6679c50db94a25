// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/architecture.h"
#include "engine/model/description.h"
#include "engine/model/linear.h"
#include "engine/model/weight_source.h"

namespace sheaf {

// The feed-forward layer: out(f(up x)), or with a gate out(f(gate x) * up x).
struct FeedForwardWeights {
  std::vector<float> norm;  // [d_model]
  // up; with a gate, each slice has its columns of the gate and then the same
  // columns of up, so that one member of the team has both.
  Linear in;
  Linear out;
};

struct EncoderLayer {
  std::vector<float> norm;  // [d_model]
  Linear qkv;               // [q_columns | kv_columns | kv_columns]
  Linear out;
  FeedForwardWeights feed_forward;
};

struct DecoderLayer {
  std::vector<float> self_norm;
  Linear qkv;  // [q_columns | kv_columns | kv_columns]
  Linear self_out;
  std::vector<float> cross_norm;
  Linear cross_q;
  Linear cross_out;
  FeedForwardWeights feed_forward;
};

// A model's weights, each laid out once for the code that reads it. Grouped key
// and value projections stay grouped. Immutable after Load().
struct Weights {
  // Errors name a tensor that cannot be read. REQUIRES: MatchTensors() has
  // matched `description` with `source`.
  static absl::StatusOr<Weights> Load(const ModelDescription& description,
                                      const WeightSource& source,
                                      const LinearOptions& options);

  // Copies the embedding of token `id` to out [d_model].
  void Embed(int32_t id, float* out) const;

  int64_t bytes() const;  // in memory
  // The part of them that one decode step reads: decoder layers and head.
  int64_t decode_bytes() const;

  Architecture architecture;
  WeightType type = WeightType::kF32;
  // [vocab_size, d_model], in f32, or in bfloat16 if the other weights are
  // narrower. Both are empty if the head has it.
  AlignedBuffer<float> embedding;
  AlignedBuffer<uint16_t> embedding_bf16;
  Linear head;  // [vocab_size] columns
  // [num_buckets, num_heads] of the first layer, which serves all layers, or of
  // each layer.
  std::vector<std::vector<float>> encoder_biases;
  std::vector<std::vector<float>> decoder_biases;
  std::vector<EncoderLayer> encoder;
  std::vector<float> encoder_norm;
  std::vector<DecoderLayer> decoder;
  std::vector<float> decoder_norm;
  // The cross-attention keys and values of all decoder layers in one product:
  // for each layer [cross_kv_columns | cross_kv_columns].
  Linear cross_kv;
};

// A lower bound of bytes() for such a model: int8 also has scales, and each
// type its padding.
int64_t LeastWeightBytes(const Architecture& architecture, WeightType type);

}  // namespace sheaf
