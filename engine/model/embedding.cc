// SPDX-License-Identifier: Apache-2.0

#include "engine/model/embedding.h"

#include <algorithm>

#include "base/check.h"
#include "engine/model/position_table.h"
#include "engine/model/sublayers.h"

namespace sheaf {
namespace {

const StackWeights& StackOf(const Weights& weights, Stack stack) {
  return stack == Stack::kEncoder ? weights.encoder_stack
                                  : weights.decoder_stack;
}

}  // namespace

StackEmbedding::StackEmbedding(const Weights& weights, Stack stack,
                               const kernels::Kernels& kernels, int32_t max_len)
    : weights_(weights),
      kernels_(kernels),
      stack_(stack),
      shape_(stack == Stack::kEncoder ? weights.architecture.encoder
                                      : weights.architecture.decoder),
      norm_(StackOf(weights, stack).embedding_norm) {
  const Positions& positions = weights.architecture.positions;
  if (positions.is_computed()) {
    computed_ = ComputePositions(positions, max_len, shape_.d_model);
    place_zero_ = computed_.data();
    num_places_ = max_len;
  } else if (positions.kind == PositionKind::kLearned) {
    place_zero_ = StackOf(weights, stack).positions.data() +
                  int64_t{positions.first_position} * shape_.d_model;
    num_places_ = weights.architecture.max_positions;
  }
}

void StackEmbedding::Embed(int32_t id, int32_t place, float* out) const {
  const int64_t d_model = shape_.d_model;
  weights_.ReadEmbedding(stack_, id, out);
  if (id == weights_.architecture.own_vector_id) {
    std::copy_n(weights_.own_vector.data(), d_model, out);
  } else if (const float scale = shape_.embedding_scale; scale != 1) {
    for (int64_t i = 0; i < d_model; ++i) out[i] *= scale;
  }
  if (place_zero_ != nullptr && place >= 0) {
    SHEAF_CHECK(place < num_places_);
    const float* position = place_zero_ + place * d_model;
    for (int64_t i = 0; i < d_model; ++i) out[i] += position[i];
  }
  if (!norm_.is_absent()) {
    Norm(kernels_, weights_.architecture, norm_, out, /*num_rows=*/1, out);
  }
}

}  // namespace sheaf
