// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "engine/model/architecture.h"
#include "engine/model/tensor_list.h"

namespace sheaf {

// The bucket of a relative position (key - query). In the encoder both
// directions count: half of the buckets are for keys after the query. In the
// decoder, keys after the query count as distance 0. In each direction the
// first half of the buckets hold one distance each. The others are spaced by
// the logarithm up to max_distance, in float32 as the reference computes it.
int32_t RelativePositionBucket(int32_t relative_position, bool is_bidirectional,
                               int32_t num_buckets, int32_t max_distance);

// A bias of the scores of self-attention, spread out over relative positions,
// which the kernels read in the order of the keys: a learned one, with one row
// per head, or a window, with one row for all heads.
class RelativeBias {
 public:
  // `table` [num_buckets, num_heads] as in the checkpoint. Covers relative
  // positions -(max_len - 1) to max_len - 1, or to 0 if one-sided.
  RelativeBias(const std::vector<float>& table, int32_t num_heads,
               const Positions& positions, bool is_bidirectional,
               int32_t max_len);

  // 0 within the window; elsewhere so low that the weight of a key vanishes,
  // but finite, so that a row of which a part sees no key is no error.
  RelativeBias(const Window& window, bool is_bidirectional, int32_t max_len);

  // The bias of key t for the query at position p is
  // Row(head)[max_len - 1 - p + t]. Rows are row_stride() floats apart, which
  // is 0 if there is only one.
  const float* Row(int32_t head) const {
    return values_.data() + head * row_stride_;
  }
  const float* ForQuery(int32_t head, int32_t position) const {
    return Row(head) + max_len_ - 1 - position;
  }
  int64_t row_stride() const { return row_stride_; }
  int32_t max_len() const { return max_len_; }

 private:
  int32_t max_len_;
  int64_t row_stride_;
  std::vector<float> values_;
};

// The position biases of the self-attention of a stack.
class LayerBiases {
 public:
  // `tables` are learned: none, one for all layers, or one per layer. Positions
  // are below `max_len`.
  LayerBiases(const Architecture& architecture, Stack stack,
              const std::vector<std::vector<float>>& tables, int32_t max_len);

  // Null if the layer has none.
  const RelativeBias* Of(int32_t layer) const {
    const int32_t index = by_layer_[layer];
    return index < 0 ? nullptr : &biases_[index];
  }

 private:
  void AddTables(const Architecture& architecture, Stack stack,
                 const std::vector<std::vector<float>>& tables,
                 int32_t max_len);
  void AddWindows(const StackShape& shape, Stack stack, int32_t max_len);

  std::vector<RelativeBias> biases_;
  std::vector<int32_t> by_layer_;  // index in biases_; -1: none
};

}  // namespace sheaf
