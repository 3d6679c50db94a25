// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// Raw contents of tensors of the Open Inference Protocol.
namespace sheaf {

// The elements of a BYTES tensor: each is its length (4 bytes, little endian)
// and its bytes. INVALID_ARGUMENT if there are not exactly `num_elements`; the
// message is the end of a sentence about the tensor. The elements are parts of
// `raw`.
absl::StatusOr<std::vector<absl::string_view>> SplitRawBytes(
    absl::string_view raw, size_t num_elements);

std::string ToRaw(absl::Span<const std::string> elements);
std::string ToRaw(absl::Span<const float> elements);

}  // namespace sheaf
