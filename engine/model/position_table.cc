// SPDX-License-Identifier: Apache-2.0

#include "engine/model/position_table.h"

#include <cmath>

namespace sheaf {

void ComputePosition(const Positions& positions, int32_t position,
                     int32_t d_model, float* out) {
  const int32_t half = d_model / 2;
  if (positions.kind == PositionKind::kSinusoidal) {
    for (int32_t k = 0; k < half; ++k) {
      const double angle = position / std::pow(10000.0, 2.0 * k / d_model);
      out[k] = static_cast<float>(std::sin(angle));
      out[half + k] = static_cast<float>(std::cos(angle));
    }
    return;
  }
  const float step = static_cast<float>(-std::log(10000.0) / (half - 1));
  for (int32_t k = 0; k < half; ++k) {
    const float angle =
        static_cast<float>(position) * std::exp(static_cast<float>(k) * step);
    out[k] = std::sin(angle);
    out[half + k] = std::cos(angle);
  }
}

std::vector<float> ComputePositions(const Positions& positions,
                                    int32_t num_tokens, int32_t d_model) {
  std::vector<float> table(int64_t{num_tokens} * d_model);
  for (int32_t i = 0; i < num_tokens; ++i) {
    ComputePosition(positions, positions.first_position + i, d_model,
                    table.data() + int64_t{i} * d_model);
  }
  return table;
}

}  // namespace sheaf
