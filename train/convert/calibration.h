#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/description.h"
#include "train/convert/convert.h"

namespace sheaf {

inline constexpr int32_t kCalibrationMaxSource = 512;  // tokens; cut to it
inline constexpr int32_t kCalibrationMaxOutput = 128;

// Runs the model of `directory` on `sources` (token ids with the end token, at
// least one source), decoding greedily, and gathers the second moments of what
// its attentions read. A hundredth of their mean is added to the diagonals, so
// that a direction that the text has not shown still counts a little.
absl::StatusOr<Calibration> Calibrate(
    const std::string& directory, ModelDescription description,
    const std::vector<std::vector<int32_t>>& sources);

}  // namespace sheaf
