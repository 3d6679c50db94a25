// SPDX-License-Identifier: Apache-2.0

#include "engine/model/head_finisher.h"

#include <algorithm>
#include <cmath>

namespace sheaf {

std::vector<float> ComputeAngles(const Rotation& rotation, int32_t head_dim,
                                 int32_t num_positions) {
  const int32_t half = head_dim / 2;
  std::vector<float> frequencies(half);
  for (int32_t i = 0; i < half; ++i) {
    const float power =
        static_cast<float>(2 * i) / static_cast<float>(head_dim);
    frequencies[i] = 1.0f / std::pow(rotation.base, power) / rotation.factor;
  }
  std::vector<float> angles(int64_t{num_positions} * head_dim);
  for (int32_t position = 0; position < num_positions; ++position) {
    float* row = angles.data() + int64_t{position} * head_dim;
    for (int32_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(position) * frequencies[i];
      row[i] = std::cos(angle);
      row[half + i] = std::sin(angle);
    }
  }
  return angles;
}

std::vector<Rotation> DistinctRotations(const StackShape& shape) {
  std::vector<Rotation> distinct;
  for (const Rotation& rotation : shape.rotations) {
    if (std::find(distinct.begin(), distinct.end(), rotation) ==
        distinct.end()) {
      distinct.push_back(rotation);
    }
  }
  return distinct;
}

HeadFinisher::HeadFinisher(const Weights& weights, Stack stack,
                           const kernels::Kernels& kernels, int32_t max_len)
    : weights_(weights),
      stack_(stack),
      kernels_(kernels),
      head_dim_(stack == Stack::kEncoder
                    ? weights.architecture.encoder.head_dim
                    : weights.architecture.decoder.head_dim),
      has_norms_(weights.architecture.has_qk_norm) {
  const StackShape& shape = stack == Stack::kEncoder
                                ? weights.architecture.encoder
                                : weights.architecture.decoder;
  const std::vector<Rotation> distinct = DistinctRotations(shape);
  for (const Rotation& rotation : distinct) {
    angles_.push_back(ComputeAngles(rotation, head_dim_, max_len));
  }
  for (const Rotation& rotation : shape.rotations) {
    by_layer_.push_back(static_cast<int32_t>(
        std::find(distinct.begin(), distinct.end(), rotation) -
        distinct.begin()));
  }
}

void HeadFinisher::FinishQueries(int32_t layer, int32_t position, float* heads,
                                 int32_t num_heads) const {
  if (has_norms_) Norm(NormsOf(layer).query, heads, num_heads);
  Rotate(layer, position, heads, num_heads);
}

void HeadFinisher::FinishKeys(int32_t layer, int32_t position, float* heads,
                              int32_t num_heads) const {
  NormKeys(layer, heads, num_heads);
  Rotate(layer, position, heads, num_heads);
}

void HeadFinisher::NormKeys(int32_t layer, float* heads,
                            int32_t num_heads) const {
  if (has_norms_) Norm(NormsOf(layer).key, heads, num_heads);
}

const HeadNorms& HeadFinisher::NormsOf(int32_t layer) const {
  return stack_ == Stack::kEncoder ? weights_.encoder[layer].head_norms
                                   : weights_.decoder[layer].head_norms;
}

void HeadFinisher::Norm(const std::vector<float>& factors, float* heads,
                        int32_t num_heads) const {
  kernels_.rms_norm(heads, head_dim_, num_heads, head_dim_, factors.data(),
                    weights_.architecture.norm_epsilon, heads);
}

void HeadFinisher::Rotate(int32_t layer, int32_t position, float* heads,
                          int32_t num_heads) const {
  if (by_layer_.empty()) return;
  kernels_.rotate(
      heads, num_heads, head_dim_,
      angles_[by_layer_[layer]].data() + int64_t{position} * head_dim_);
}

}  // namespace sheaf
