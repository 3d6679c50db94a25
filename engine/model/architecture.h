// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/kernels/activation.h"

namespace sheaf {

using kernels::Activation;

// The shape of one stack, the encoder or the decoder.
struct StackShape {
  int32_t num_layers = 0;
  int32_t d_model = 0;
  int32_t d_ff = 0;
  int32_t num_heads = 0;
  int32_t num_kv_heads = 0;   // of self-attention; divides num_heads
  int32_t head_dim = 0;       // num_heads * head_dim need not be d_model
  float embedding_scale = 1;  // of the embeddings of tokens
  float score_scale = 1;      // of the products of queries and keys

  // The columns of all queries, and those of all keys (or of all values).
  int64_t q_columns() const { return int64_t{num_heads} * head_dim; }
  int64_t kv_columns() const { return int64_t{num_kv_heads} * head_dim; }
};

// x / rms(x) * w, or (x - mean) / deviation * w + b.
enum class NormKind { kRms, kLayer };

// Where the norm of a sub-layer stands: x += f(norm(x)), or x = norm(x + f(x)).
enum class NormPlace { kBefore, kAfter };

// How the model knows the order of tokens. The first adds a learned number per
// bucket of distances and head to the scores of self-attention. The others add
// a vector to each embedding.
enum class PositionKind {
  kRelativeBias,
  kLearned,  // row `first_position` + i of a table of the checkpoint
  // sin(p / 10000^(2k / d)) at place k < d / 2, the cosine at d / 2 + k;
  // p = first_position + i. Computed in double.
  kSinusoidal,
  // The same with p exp(-k ln(10000) / (d / 2 - 1)), in float32 throughout, as
  // the reference computes it.
  kSinusoidalToLast,
};

struct Positions {
  PositionKind kind = PositionKind::kRelativeBias;

  // Of kRelativeBias.
  int32_t num_buckets = 32;  // >= 4
  // > num_buckets / 2, so that the formula of the buckets, which divides by
  // ln(max_distance / (num_buckets / 2)), is defined.
  int32_t max_distance = 128;
  bool is_per_layer = false;  // a table in each layer; else one per stack

  // Of the other kinds: the position of token 0.
  int32_t first_position = 0;
  // Whether padding has a zero vector, and the tokens before it in the same
  // source, or in the same known tokens of the decoder, are all that count.
  bool skips_padding = false;

  bool is_relative_bias() const { return kind == PositionKind::kRelativeBias; }
  // Whether the vectors follow from a formula, so that there is no limit.
  bool is_computed() const {
    return kind == PositionKind::kSinusoidal ||
           kind == PositionKind::kSinusoidalToLast;
  }
};

// Token ids with a meaning of their own, all in [0, vocab_size).
struct TokenRules {
  int32_t start_id = 0;  // the decoder's first token
  int32_t pad_id = 0;
  std::vector<int32_t> eos_ids;  // at least one
};

// Describes a model as plain data. A family (engine/model/families/) fills it
// from config.json, and everything else reads it.
//
// A field is here because a family with fixtures needs it. Fields that a family
// does not mention keep their defaults, which have no effect.
//
// ReadDescription() ensures the comments of all fields. It also bounds every
// number so that the number of elements of each weight, and the sum of all,
// fits in an int64, and each dimension of a weight in an int32.
struct Architecture {
  std::string family;  // `model_type` of config.json
  std::string label;   // first of its `architectures`; for people only

  StackShape encoder, decoder;
  int32_t num_cross_kv_heads = 0;  // divides decoder.num_heads

  // Tokens of the decoder; may exceed the tokenizer's.
  int32_t vocab_size = 0;
  // Whether the encoder has an embedding table of its own, and its tokens,
  // which are vocab_size if it has not.
  bool has_source_embedding = false;
  int32_t source_vocab_size = 0;

  // The feed-forward layer is down(f(up x)), or with a gate
  // down(f(gate x) * up x).
  bool is_gated = false;
  Activation activation = Activation::kRelu;

  NormKind norm = NormKind::kRms;
  NormPlace norm_place = NormPlace::kBefore;
  float norm_epsilon = 1e-6f;
  bool has_final_norm = true;       // at the end of each stack
  bool has_embedding_norm = false;  // after embedding and position

  // Whether every product of the layers adds a bias.
  bool has_biases = false;

  Positions positions;
  // The length of a source, and of a decoder's sequence, that the positions
  // allow; 0: any.
  int32_t max_positions = 0;

  // The factor of the decoder's output before the head.
  float logit_scale = 1;
  bool has_logit_bias = false;

  // Whether the embedding table is the head too. The checkpoint decides:
  // MatchTensors() sets it.
  bool is_tied = true;

  // Source tokens seen in training, a default for limits only.
  std::optional<int32_t> trained_source_tokens;

  TokenRules tokens;

  int64_t cross_kv_columns() const {
    return int64_t{num_cross_kv_heads} * decoder.head_dim;
  }
};

}  // namespace sheaf
