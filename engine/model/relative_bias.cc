// SPDX-License-Identifier: Apache-2.0

#include "engine/model/relative_bias.h"

#include <algorithm>
#include <cmath>

namespace sheaf {

int32_t RelativePositionBucket(int32_t relative_position, bool is_bidirectional,
                               int32_t num_buckets, int32_t max_distance) {
  int32_t first = 0;
  int32_t distance = std::max(-relative_position, 0);
  if (is_bidirectional) {
    num_buckets /= 2;
    if (relative_position > 0) first = num_buckets;
    distance = std::abs(relative_position);
  }
  const int32_t num_exact = num_buckets / 2;
  if (distance < num_exact) return first + distance;
  const float scaled =
      std::log(static_cast<float>(distance) / static_cast<float>(num_exact)) /
      static_cast<float>(
          std::log(static_cast<double>(max_distance) / num_exact)) *
      static_cast<float>(num_buckets - num_exact);
  return first +
         std::min(num_exact + static_cast<int32_t>(scaled), num_buckets - 1);
}

RelativeBias::RelativeBias(const std::vector<float>& table, int32_t num_heads,
                           const Positions& positions, bool is_bidirectional,
                           int32_t max_len)
    : max_len_(max_len),
      row_stride_(is_bidirectional ? 2 * int64_t{max_len} - 1 : max_len),
      values_(num_heads * row_stride_) {
  for (int64_t i = 0; i < row_stride_; ++i) {
    const int32_t bucket = RelativePositionBucket(
        static_cast<int32_t>(i) - (max_len - 1), is_bidirectional,
        positions.num_buckets, positions.max_distance);
    for (int32_t head = 0; head < num_heads; ++head) {
      values_[head * row_stride_ + i] =
          table[int64_t{bucket} * num_heads + head];
    }
  }
}

LayerBiases::LayerBiases(const Architecture& architecture, Stack stack,
                         const std::vector<std::vector<float>>& tables,
                         int32_t max_len) {
  const bool is_encoder = stack == Stack::kEncoder;
  const StackShape& shape =
      is_encoder ? architecture.encoder : architecture.decoder;
  for (const std::vector<float>& table : tables) {
    biases_.emplace_back(table, shape.num_heads, architecture.positions,
                         /*is_bidirectional=*/is_encoder, max_len);
  }
  for (int32_t layer = 0; layer < shape.num_layers; ++layer) {
    by_layer_.push_back(tables.empty() ? -1 : tables.size() == 1 ? 0 : layer);
  }
}

}  // namespace sheaf
