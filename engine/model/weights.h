#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/linear.h"
#include "engine/model/t5_config.h"
#include "engine/model/weight_source.h"

namespace sheaf {

// The feed-forward layer of a block: wo(act(wi x)), or with a gate
// wo(act(wi_0 x) * wi_1 x).
struct FeedForwardWeights {
  std::vector<float> norm;  // [d_model]
  // wi; with a gate, each slice has its columns of wi_0 and then those of wi_1,
  // so that one member of the team has both.
  Linear in;
  Linear out;
};

struct EncoderLayer {
  std::vector<float> norm;  // [d_model]
  Linear qkv;               // [H * head_dim | H * head_dim | H * head_dim]
  Linear out;
  FeedForwardWeights feed_forward;
};

struct DecoderLayer {
  std::vector<float> self_norm;
  Linear qkv;  // [H * head_dim | G * head_dim | G * head_dim]
  Linear self_out;
  std::vector<float> cross_norm;
  Linear cross_q;
  Linear cross_out;
  FeedForwardWeights feed_forward;
};

// A T5 model's weights, each laid out once for the code that reads it. Grouped
// key and value projections stay grouped. Immutable after Load().
struct Weights {
  // Errors name a tensor that cannot be read. REQUIRES: MatchT5Tensors() has
  // matched `config` with `source`.
  static absl::StatusOr<Weights> Load(const T5Config& config,
                                      const WeightSource& source,
                                      const LinearOptions& options);

  // Copies token `id`'s embedding to out [d_model].
  void Embed(int32_t id, float* out) const;

  int64_t bytes() const;  // in memory
  // Of those, what one decode step reads: decoder layers and head.
  int64_t decode_bytes() const;

  T5Config config;
  WeightType type = WeightType::kF32;
  // [vocab_size, d_model], as f32, or as bfloat16 if the other weights are
  // narrower; both empty if the head has it.
  AlignedBuffer embedding;
  std::vector<uint16_t> embedding_bf16;
  Linear head;                      // [vocab_size] columns
  std::vector<float> encoder_bias;  // [buckets, H]
  std::vector<float> decoder_bias;
  std::vector<EncoderLayer> encoder;
  std::vector<float> encoder_norm;
  std::vector<DecoderLayer> decoder;
  std::vector<float> decoder_norm;
  // The cross-attention keys and values of all decoder layers in one product:
  // for each layer [G * head_dim | G * head_dim].
  Linear cross_kv;
};

// What bytes() of such a model will be, at least: int8 has scales beside, and
// each type its padding.
int64_t LeastWeightBytes(const T5Config& config, WeightType type);

}  // namespace sheaf
