// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/description.h"
#include "train/convert/convert.h"

namespace sheaf {

inline constexpr int32_t kCalibrationMaxSource =
    512;  // tokens; longer sources are cut
inline constexpr int32_t kCalibrationMaxOutput = 128;

// Runs the model of `directory` on `sources` (token ids with the end token, at
// least one source) with greedy decoding, and returns the second moments of the
// inputs of its attentions. One hundredth of the mean of each diagonal is added
// to it, so that directions that do not occur in the text still have a small
// weight.
absl::StatusOr<Calibration> Calibrate(
    const std::string& directory, ModelDescription description,
    const std::vector<std::vector<int32_t>>& sources);

}  // namespace sheaf
