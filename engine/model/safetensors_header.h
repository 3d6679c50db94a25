// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/model/tensor_file.h"

namespace sheaf {

// Returns the tensors of a safetensors file, ordered by name, from its JSON
// header and from where its data is, in bytes. Refuses a header that breaks a
// rule of OpenSafetensors(), and names `path`, tensor and rule.
absl::StatusOr<std::vector<TensorInfo>> ParseSafetensorsHeader(
    absl::string_view header, uint64_t data_offset, uint64_t data_bytes,
    const std::string& path);

}  // namespace sheaf
