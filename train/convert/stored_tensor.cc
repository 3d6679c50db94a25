// SPDX-License-Identifier: Apache-2.0

#include "train/convert/stored_tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/bf16.h"
#include "base/check.h"

namespace sheaf {
namespace {

using Half = _Float16;

template <typename T>
void Put(T value, uint8_t* out) {
  std::memcpy(out, &value, sizeof(value));
}

template <typename T>
T Get(const uint8_t* in) {
  T value;
  std::memcpy(&value, in, sizeof(value));
  return value;
}

}  // namespace

std::vector<StoredTensor> TensorsOf(const Checkpoint& checkpoint) {
  std::vector<StoredTensor> tensors;
  for (const TensorFile& file : checkpoint.files()) {
    for (const TensorInfo& info : file.tensors()) {
      tensors.push_back({&file, &info});
    }
  }
  std::sort(tensors.begin(), tensors.end(),
            [](const StoredTensor& a, const StoredTensor& b) {
              return a.info->name < b.info->name;
            });
  return tensors;
}

absl::StatusOr<Matrix> ReadMatrix(const Checkpoint& checkpoint,
                                  const std::string& name) {
  const absl::StatusOr<std::vector<int64_t>> shape = checkpoint.Shape(name);
  if (!shape.ok()) return shape.status();
  const bool is_vector = shape->size() == 1;
  if (shape->size() != 2 && !is_vector) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor ", name, " has ", shape->size(),
                     " dimensions; it must have 1 or 2"));
  }
  using RowMajor =
      Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  RowMajor values((*shape)[0], is_vector ? 1 : (*shape)[1]);
  absl::Status read = checkpoint.ReadRows(
      name, 0, is_vector ? 1 : values.rows(),
      absl::MakeSpan(values.data(), static_cast<size_t>(values.size())));
  if (!read.ok()) return read;
  return Matrix(values.cast<double>());
}

absl::Status CopyBytes(const StoredTensor& tensor, SafetensorsWriter& writer) {
  return tensor.file->ReadBytes(*tensor.info,
                                [&](absl::Span<const uint8_t> bytes) {
                                  writer.Append(bytes.data(), bytes.size());
                                });
}

absl::StatusOr<std::vector<uint8_t>> ToStored(const Matrix& matrix, Dtype dtype,
                                              absl::string_view name) {
  const size_t size = DtypeBytes(dtype);
  std::vector<uint8_t> bytes(matrix.size() * size);
  uint8_t* out = bytes.data();
  for (int64_t i = 0; i < matrix.rows(); ++i) {
    for (int64_t j = 0; j < matrix.cols(); ++j, out += size) {
      const float value = static_cast<float>(matrix(i, j));
      bool is_finite = std::isfinite(value);
      if (dtype == Dtype::kF32) {
        Put(value, out);
      } else if (dtype == Dtype::kF16) {
        Put(static_cast<Half>(value), out);
        is_finite = std::isfinite(static_cast<float>(Get<Half>(out)));
      } else {
        SHEAF_CHECK(dtype == Dtype::kBF16);
        if (is_finite) Put(ToBf16(value), out);
        is_finite = is_finite && std::isfinite(FromBf16(Get<uint16_t>(out)));
      }
      if (!is_finite) {
        return absl::InvalidArgumentError(
            absl::StrCat("tensor ", name, ": ", matrix(i, j),
                         " is too large for ", DtypeName(dtype)));
      }
    }
  }
  return bytes;
}

Matrix FromStored(const std::vector<uint8_t>& bytes, Dtype dtype, int64_t rows,
                  int64_t columns) {
  const size_t size = DtypeBytes(dtype);
  SHEAF_CHECK(bytes.size() == rows * columns * size);
  Matrix matrix(rows, columns);
  const uint8_t* in = bytes.data();
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j, in += size) {
      matrix(i, j) = dtype == Dtype::kF32   ? Get<float>(in)
                     : dtype == Dtype::kF16 ? static_cast<float>(Get<Half>(in))
                                            : FromBf16(Get<uint16_t>(in));
    }
  }
  return matrix;
}

}  // namespace sheaf
