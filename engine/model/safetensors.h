// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "engine/model/tensor_file.h"

namespace sheaf {

// Opens a file in the safetensors format: a length (u64, little endian), a JSON
// header of that length, the data.
//
// The file is untrusted, and only its header is read. A file is refused, with
// its path, the tensor and the rule, if it breaks one of these:
//   1. The header is one JSON object of at most 8 MiB, in valid UTF-8, with
//      nothing but white space after it; no key occurs twice at any level.
//   2. Each tensor has exactly dtype (one of Dtype's), shape and data_offsets;
//      `__metadata__`, the only other key, maps strings to strings.
//   3. end - begin is the shape's number of elements times the dtype's size.
//   4. The tensors tile the data: no overlap, no hole, nothing after the last.
// Therefore a file that opens has every byte of every tensor, unless it changes
// afterwards, which a read reports.
absl::StatusOr<TensorFile> OpenSafetensors(const std::string& path);

}  // namespace sheaf
