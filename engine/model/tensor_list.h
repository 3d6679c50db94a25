// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "engine/model/architecture.h"

namespace sheaf {

// The purpose of a tensor. The first five exist once per model, the next three
// once per stack, kPositionBias once per stack or per layer, and the others
// once per sub-layer that has them.
enum class Slot {
  kEmbedding,        // [vocab_size, d_model of the decoder]
  kSourceEmbedding,  // [source_vocab_size, d_model of the encoder]; only if the
                     // encoder has its own
  kHead,             // [vocab_size, d_model]; only if it is not the embedding
  kLogitBias,        // [1, vocab_size]
  kOwnVector,        // [d_model], of Architecture::own_vector_id
  kPositions,        // [first_position + max_positions, d_model]
  kEmbeddingNorm,    // [d_model]
  kFinalNorm,        // [d_model]
  kPositionBias,     // [num_buckets, num_heads]; layer 0's may serve all layers
  kNorm,             // [d_model]
  kSecondNorm,       // [d_model]; of NormPlace::kBoth
  kQueryNorm,        // [head_dim]
  kKeyNorm,          // [head_dim]
  kQuery,            // [q_columns, d_model]
  kKey,              // [kv_columns, d_model]
  kValue,            // [kv_columns, d_model]
  kOutput,           // [d_model, q_columns]
  kGate,             // [d_ff, d_model]; only if the feed-forward layer is gated
  kUp,               // [d_ff, d_model]
  kDown,             // [d_model, d_ff]
};
enum class Stack { kEncoder, kDecoder };
enum class Sublayer { kSelfAttention, kCrossAttention, kFeedForward };

// Where a tensor belongs, in any family. What a slot does not need keeps its
// default, so that equal places compare equal.
struct TensorPlace {
  Slot slot;
  Stack stack = Stack::kEncoder;
  Sublayer sublayer = Sublayer::kSelfAttention;
  int32_t layer = 0;
  bool is_bias = false;  // of the norm, or of the product, at this place

  auto operator<=>(const TensorPlace&) const = default;
};

struct TensorSpec {
  TensorPlace place;
  int64_t rows;
  int64_t columns;  // 0: a vector of `rows` numbers

  int64_t num_elements() const { return columns == 0 ? rows : rows * columns; }
};

// Every tensor of such a model, each once: the embedding, that of the encoder
// if it has its own, the stacks in the order in which they compute, then the
// head if it is not the embedding, and its bias.
// Loading, counting, conversion and random weights all go by this list, which
// is the only place that knows shapes.
std::vector<TensorSpec> ListTensors(const Architecture& architecture);

// The numbers in all of them. Until MatchTensors() has seen the checkpoint,
// this counts no separate head.
int64_t NumParameters(const Architecture& architecture);

}  // namespace sheaf
