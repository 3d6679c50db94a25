// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/kernels/activation.h"

namespace sheaf {

using kernels::Activation;

// The tokens that a query sees in self-attention: so many before it and after
// it. In the decoder none after it.
struct Window {
  int32_t back = 0;
  int32_t ahead = 0;
  bool operator==(const Window&) const = default;
};

// How the angles of rotary positions grow: place i of half a head turns by
// p / (base^(2i / head_dim) * factor) at position p.
struct Rotation {
  float base = 10000;
  float factor = 1;
  bool operator==(const Rotation&) const = default;
};

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
  // Scores are c * tanh(s / c) with this c, before anything is added; 0: not.
  float score_softcap = 0;

  // By layer; each is empty if no layer has one.
  std::vector<std::optional<Window>> windows = {};  // null: it sees all
  std::vector<Rotation> rotations = {};             // of kRotary

  // The columns of all queries, and those of all keys (or of all values).
  int64_t q_columns() const { return int64_t{num_heads} * head_dim; }
  int64_t kv_columns() const { return int64_t{num_kv_heads} * head_dim; }
};

// x / rms(x) * w, or (x - mean) / deviation * w + b.
enum class NormKind { kRms, kLayer };

// Where the norms of a sub-layer stand: x += f(norm(x)), x = norm(x + f(x)), or
// x += norm2(f(norm1(x))).
enum class NormPlace { kBefore, kAfter, kBoth };

// How the model knows the order of tokens. The first adds a learned number per
// bucket of distances and head to the scores of self-attention. The last turns
// the queries and keys of self-attention. The others add a vector to each
// embedding.
enum class PositionKind {
  kRelativeBias,
  kLearned,  // row `first_position` + i of a table of the checkpoint
  // sin(p / 10000^(2k / d)) at place k < d / 2, the cosine at d / 2 + k;
  // p = first_position + i. Computed in double.
  kSinusoidal,
  // The same with p exp(-k ln(10000) / (d / 2 - 1)), in float32 throughout, as
  // the reference computes it.
  kSinusoidalToLast,
  kRotary,  // as StackShape::rotations says; the halves of a head are a pair
};

struct Positions {
  PositionKind kind = PositionKind::kRelativeBias;

  // The next three belong to kRelativeBias.
  int32_t num_buckets = 32;  // >= 4
  // > num_buckets / 2, so that the formula of the buckets, which divides by
  // ln(max_distance / (num_buckets / 2)), is defined.
  int32_t max_distance = 128;
  bool is_per_layer = false;  // a table in each layer; else one per stack

  // The position of token 0, for the kinds that add a vector.
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

// A query head of the decoder's attention over the source.
struct AlignmentHead {
  int32_t layer = 0;
  int32_t head = 0;
  auto operator<=>(const AlignmentHead&) const = default;
};

// The heads whose attention tells from which source token an output token
// comes.
struct AlignmentHeads {
  std::vector<AlignmentHead> heads;  // at least one, ascending, each once
  // 1: they attend to the source of the token that is the decoder's input; 0:
  // to that of the token that is being predicted.
  int32_t shift = 1;
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
  bool norms_add_one = false;       // the factor is 1 + w instead of w
  bool has_final_norm = true;       // at the end of each stack
  bool has_embedding_norm = false;  // after embedding and position

  // Whether the heads of queries and keys have a norm, before they turn.
  bool has_qk_norm = false;

  // Whether the decoder has one attention over its own tokens and then those of
  // the source, with the same projections, instead of two.
  bool has_merged_attention = false;

  // Whether every product of the layers adds a bias.
  bool has_biases = false;

  Positions positions;
  // The length of a source, and of a decoder's sequence, that the positions
  // allow; 0: any.
  int32_t max_positions = 0;

  // The factor of the decoder's output before the head.
  float logit_scale = 1;
  bool has_logit_bias = false;
  float logit_softcap = 0;  // as score_softcap

  // A token whose embedding is a vector of its own, which is not scaled. The id
  // may be outside of the vocabulary.
  std::optional<int32_t> own_vector_id;

  // Whether the embedding table is the head too. The checkpoint decides:
  // MatchTensors() sets it.
  bool is_tied = true;

  // Source tokens seen in training, a default for limits only.
  std::optional<int32_t> trained_source_tokens;

  TokenRules tokens;

  // Computes nothing unless a request asks for alignment.
  AlignmentHeads alignment;

  int64_t cross_kv_columns() const {
    return int64_t{num_cross_kv_heads} * decoder.head_dim;
  }
};

}  // namespace sheaf
