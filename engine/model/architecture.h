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
  int32_t num_kv_heads = 0;  // of self-attention; divides num_heads
  int32_t head_dim = 0;      // num_heads * head_dim need not be d_model

  // The columns of all queries, and those of all keys (or of all values).
  int64_t q_columns() const { return int64_t{num_heads} * head_dim; }
  int64_t kv_columns() const { return int64_t{num_kv_heads} * head_dim; }
};

// Relative position bias: a learned number per bucket of distances and head,
// added to the scores of self-attention.
struct Positions {
  int32_t num_buckets = 32;  // >= 4
  // > num_buckets / 2, so that the formula of the buckets, which divides by
  // ln(max_distance / (num_buckets / 2)), is defined.
  int32_t max_distance = 128;
  bool is_per_layer = false;  // a table in each layer; else one per stack
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
  int32_t vocab_size = 0;          // may exceed the tokenizer's

  // The feed-forward layer is down(f(up x)), or with a gate
  // down(f(gate x) * up x).
  bool is_gated = false;
  Activation activation = Activation::kRelu;

  float norm_epsilon = 1e-6f;
  Positions positions;

  // The factor of the decoder's output before the head.
  float logit_scale = 1;

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
