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

// Where a tensor of a checkpoint lies.
struct StoredTensor {
  const SafetensorsFile* file;
  const TensorInfo* info;
};

// All tensors of a checkpoint, in the order of their names.
std::vector<StoredTensor> TensorsOf(const Checkpoint& checkpoint);

// The whole of a matrix as it is stored, [rows, columns].
absl::StatusOr<Matrix> ReadMatrix(const Checkpoint& checkpoint,
                                  const std::string& name);

// Appends the tensor's bytes as they are in its file.
absl::Status CopyBytes(const StoredTensor& tensor, SafetensorsWriter& writer);

// `matrix` as the bytes of a stored tensor, row by row, each number rounded to
// the nearest of `dtype` (F32, F16 or BF16). INVALID_ARGUMENT, naming `name`,
// if one is too large for it.
absl::StatusOr<std::vector<uint8_t>> ToStored(const Matrix& matrix, Dtype dtype,
                                              absl::string_view name);

// The numbers that such bytes hold.
Matrix FromStored(const std::vector<uint8_t>& bytes, Dtype dtype, int64_t rows,
                  int64_t columns);

}  // namespace sheaf
