// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/model/checkpoint.h"
#include "train/common/safetensors_writer.h"
#include "train/convert/grouping.h"

namespace sheaf {

// The place of a tensor in a checkpoint.
struct StoredTensor {
  const TensorFile* file;
  const TensorInfo* info;
};

// Returns all tensors of a checkpoint, in the order of their names.
std::vector<StoredTensor> TensorsOf(const Checkpoint& checkpoint);

// Reads a matrix in its stored layout, [rows, columns], or a vector as one
// column.
absl::StatusOr<Matrix> ReadMatrix(const Checkpoint& checkpoint,
                                  const std::string& name);

// Appends the tensor's elements, unchanged, in row-major order.
absl::Status CopyBytes(const StoredTensor& tensor, SafetensorsWriter& writer);

// Returns `matrix` as the bytes of a stored tensor, row by row. Each number is
// rounded to the nearest of `dtype` (F32, F16 or BF16). INVALID_ARGUMENT names
// `name` if a number is too large for it.
absl::StatusOr<std::vector<uint8_t>> ToStored(const Matrix& matrix, Dtype dtype,
                                              absl::string_view name);

// Returns the numbers in such bytes.
Matrix FromStored(const std::vector<uint8_t>& bytes, Dtype dtype, int64_t rows,
                  int64_t columns);

}  // namespace sheaf
