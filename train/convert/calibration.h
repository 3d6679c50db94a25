// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/description.h"
#include "train/convert/convert.h"

namespace sheaf {

// The tokens of a source that calibration reads; longer ones are cut.
int32_t CalibrationSourceTokens(const Architecture& architecture);

// The sources of a calibration, and how the decoder begins.
struct CalibrationText {
  std::vector<std::vector<int32_t>> sources;  // whole sources; at least one
  // The decoder's first tokens: its start token, then forced ones.
  std::vector<int32_t> start_tokens;
};

// Runs the model of `directory` on `text` with greedy decoding, and returns the
// second moments of the inputs of its attentions. One hundredth of the mean of
// each diagonal is added to it, so that directions that do not occur in the
// text still have a small weight.
absl::StatusOr<Calibration> Calibrate(const std::string& directory,
                                      ModelDescription description,
                                      const CalibrationText& text);

}  // namespace sheaf
