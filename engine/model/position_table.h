// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "engine/model/architecture.h"

namespace sheaf {

// Writes the vector of position `position` to out [d_model].
// REQUIRES: positions.is_computed().
void ComputePosition(const Positions& positions, int32_t position,
                     int32_t d_model, float* out);

// The vectors of tokens 0 to num_tokens - 1, [num_tokens, d_model].
std::vector<float> ComputePositions(const Positions& positions,
                                    int32_t num_tokens, int32_t d_model);

}  // namespace sheaf
