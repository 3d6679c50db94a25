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

RelativeBias::RelativeBias(const Window& window, bool is_bidirectional,
                           int32_t max_len)
    : max_len_(max_len),
      row_stride_(0),
      values_(is_bidirectional ? 2 * int64_t{max_len} - 1 : max_len) {
  constexpr float kHidden = -1e30f;
  for (int64_t i = 0; i < static_cast<int64_t>(values_.size()); ++i) {
    const int64_t relative_position = i - (max_len - 1);
    const bool is_seen = relative_position >= -int64_t{window.back} &&
                         relative_position <= window.ahead;
    values_[i] = is_seen ? 0 : kHidden;
  }
}

LayerBiases::LayerBiases(const Architecture& architecture, Stack stack,
                         const std::vector<std::vector<float>>& tables,
                         int32_t max_len) {
  const StackShape& shape =
      stack == Stack::kEncoder ? architecture.encoder : architecture.decoder;
  by_layer_.assign(shape.num_layers, -1);
  if (!tables.empty()) AddTables(architecture, stack, tables, max_len);
  if (!shape.windows.empty()) AddWindows(shape, stack, max_len);
}

void LayerBiases::AddTables(const Architecture& architecture, Stack stack,
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
    by_layer_[layer] = tables.size() == 1 ? 0 : layer;
  }
}

// Layers with equal windows share one row.
void LayerBiases::AddWindows(const StackShape& shape, Stack stack,
                             int32_t max_len) {
  std::vector<Window> windows;
  for (int32_t layer = 0; layer < shape.num_layers; ++layer) {
    if (!shape.windows[layer].has_value()) continue;
    const Window& window = *shape.windows[layer];
    const auto found = std::find(windows.begin(), windows.end(), window);
    by_layer_[layer] = static_cast<int32_t>(found - windows.begin());
    if (found != windows.end()) continue;
    windows.push_back(window);
    biases_.emplace_back(window, /*is_bidirectional=*/stack == Stack::kEncoder,
                         max_len);
  }
}

}  // namespace sheaf
