// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/architecture.h"
#include "engine/model/description.h"
#include "engine/model/linear.h"
#include "engine/model/tensor_list.h"
#include "engine/model/weight_source.h"

namespace sheaf {

// A norm; `weight` is empty if there is none, `bias` if the norm has none.
struct NormWeights {
  std::vector<float> weight;  // [d_model]
  std::vector<float> bias;
  bool is_absent() const { return weight.empty(); }
};

// The norms around a sub-layer f: x += f(before(x)), x = after(x + f(x)), or
// x += after(f(before(x))).
struct SublayerNorms {
  NormWeights before, after;
};

// The feed-forward layer: out(f(up x)), or with a gate out(f(gate x) * up x).
struct FeedForwardWeights {
  SublayerNorms norms;
  // up; with a gate, each slice has its columns of the gate and then the same
  // columns of up, so that one member of the team has both.
  Linear in;
  Linear out;
};

// The norms of the heads of queries and keys, [head_dim]; empty for none.
struct HeadNorms {
  std::vector<float> query, key;
};

struct EncoderLayer {
  SublayerNorms self_norms;
  HeadNorms head_norms;
  Linear qkv;  // [q_columns | kv_columns | kv_columns]
  Linear self_out;
  FeedForwardWeights feed_forward;
};

struct DecoderLayer {
  SublayerNorms self_norms;
  HeadNorms head_norms;
  // [q_columns | kv_columns | kv_columns]. With merged attention [q_columns],
  // and `kv` has the others, because the source's tokens need them too.
  Linear qkv;
  Linear kv;
  Linear self_out;
  // Empty with merged attention.
  SublayerNorms cross_norms;
  Linear cross_q;
  Linear cross_out;
  FeedForwardWeights feed_forward;
};

// A table that only embeds, [vocab, d_model]: in f32, or in bfloat16 if the
// other weights are narrower.
struct EmbeddingTable {
  AlignedBuffer<float> f32;
  AlignedBuffer<uint16_t> bf16;
  int64_t bytes() const { return f32.bytes() + bf16.bytes(); }
};

// The weights that a stack has once. Each is empty if the model has none.
struct StackWeights {
  // [num_buckets, num_heads] of the first layer, which serves all layers, or of
  // each layer.
  std::vector<std::vector<float>> position_biases;
  AlignedBuffer<float> positions;  // [rows, d_model]
  NormWeights embedding_norm;
  NormWeights final_norm;
};

// A model's weights, each laid out once for the code that reads it. Grouped key
// and value projections stay grouped. Immutable after Load().
struct Weights {
  // Errors name a tensor that cannot be read. REQUIRES: MatchTensors() has
  // matched `description` with `source`.
  static absl::StatusOr<Weights> Load(const ModelDescription& description,
                                      const WeightSource& source,
                                      const LinearOptions& options);

  // Copies the embedding of token `id` in that stack to out [d_model].
  void ReadEmbedding(Stack stack, int32_t id, float* out) const;

  int64_t bytes() const;  // in memory
  // The part of them that one decode step reads: decoder layers and head.
  int64_t decode_bytes() const;

  Architecture architecture;
  WeightType type = WeightType::kF32;
  EmbeddingTable embedding;         // empty if the head has it
  EmbeddingTable source_embedding;  // of the encoder, if it has its own
  std::vector<float> own_vector;    // [d_model]; empty if the model has none
  Linear head;                      // [vocab_size] columns
  StackWeights encoder_stack, decoder_stack;
  std::vector<EncoderLayer> encoder;
  std::vector<DecoderLayer> decoder;
  // The cross-attention keys and values of all decoder layers in one product:
  // for each layer [cross_kv_columns | cross_kv_columns]. Empty with merged
  // attention.
  Linear cross_kv;
};

// A lower bound of bytes() for such a model: int8 also has scales, and each
// type its padding.
int64_t LeastWeightBytes(const Architecture& architecture, WeightType type);

}  // namespace sheaf
