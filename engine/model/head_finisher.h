// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/model/architecture.h"
#include "engine/model/tensor_list.h"
#include "engine/model/weights.h"

namespace sheaf {

// Changes the heads of queries and keys of self-attention between the product
// that makes them and attention: a norm of each head, then a rotation
// by the position of the token. Many models have neither.
//
// Cosines and sines are computed once per base and position, not per layer.
// Immutable, so all members of a team may call it at once.
class HeadFinisher {
 public:
  // Positions are below `max_len`.
  HeadFinisher(const Weights& weights, Stack stack,
               const kernels::Kernels& kernels, int32_t max_len);

  // Whether there is nothing to do.
  bool is_idle() const { return by_layer_.empty() && !has_norms_; }

  // Finishes `num_heads` heads of the token at `position`, which lie side by
  // side, in place.
  void FinishQueries(int32_t layer, int32_t position, float* heads,
                     int32_t num_heads) const;
  void FinishKeys(int32_t layer, int32_t position, float* heads,
                  int32_t num_heads) const;

  // Only the norm, for keys of the source's tokens in merged attention.
  void NormKeys(int32_t layer, float* heads, int32_t num_heads) const;

 private:
  const HeadNorms& NormsOf(int32_t layer) const;
  void Norm(const std::vector<float>& factors, float* heads,
            int32_t num_heads) const;
  void Rotate(int32_t layer, int32_t position, float* heads,
              int32_t num_heads) const;

  const Weights& weights_;
  const Stack stack_;
  const kernels::Kernels& kernels_;
  const int32_t head_dim_;
  const bool has_norms_;
  // Per distinct rotation [max_len, head_dim]: as kernels::Kernels::rotate
  // reads them.
  std::vector<std::vector<float>> angles_;
  std::vector<int32_t> by_layer_;  // index in angles_; empty for no rotation
};

// The cosines and sines of positions 0 to num_positions - 1, [num_positions,
// head_dim], in float32 throughout, as the reference computes them.
// REQUIRES: head_dim is even.
std::vector<float> ComputeAngles(const Rotation& rotation, int32_t head_dim,
                                 int32_t num_positions);

// The distinct rotations of a stack, in the order of the layers.
std::vector<Rotation> DistinctRotations(const StackShape& shape);

}  // namespace sheaf
