// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/input_file.h"

namespace sheaf {

enum class Dtype {
  kBool,
  kU8,
  kI8,
  kF8E4M3,
  kF8E5M2,
  kF8E8M0,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kI64,
  kU64,
  kF64,
  kC64,
};

// As the safetensors format spells it: "BF16".
absl::string_view DtypeName(Dtype dtype);

// Size of one element in bytes.
uint32_t DtypeBytes(Dtype dtype);

// The names of all types, separated by commas.
std::string AllDtypeNames();

// Sets `dtype` to the type of that name. Returns false if there is none.
bool ParseDtype(absl::string_view name, Dtype& dtype);

constexpr size_t kMaxRank = 8;

struct TensorInfo {
  std::string name;
  Dtype dtype;
  std::vector<int64_t> shape;  // at most kMaxRank dimensions; empty: a scalar
  // Distances in the file between neighbours along each dimension, in elements,
  // each at least 1; empty if the elements are in row-major order without gaps.
  std::vector<int64_t> strides;
  int64_t num_elements;  // product of shape
  uint64_t offset;       // of its first element in the file, in bytes

  uint64_t num_bytes() const {
    return static_cast<uint64_t>(num_elements) * DtypeBytes(dtype);
  }
};

// A file of named tensors, whatever its format: the reader of a format opens
// the file and says where its tensors are (OpenSafetensors(), OpenTorchFile()).
// Several tensors may have elements in common.
//
// Thread-safe.
class TensorFile {
 public:
  // REQUIRES: `tensors` are ordered by name and have different names. All of
  // their elements are within `file`.
  TensorFile(InputFile file, std::vector<TensorInfo> tensors)
      : file_(std::move(file)), tensors_(std::move(tensors)) {}

  const std::string& path() const { return file_.path(); }

  // Ordered by name. Their addresses stay valid as long as this object, or the
  // object that it was moved to.
  absl::Span<const TensorInfo> tensors() const { return tensors_; }

  // Null if there is no such tensor.
  const TensorInfo* Find(absl::string_view name) const;

  // Elements [first_element, first_element + out.size()) of `tensor`, in
  // row-major order, each widened exactly to f32 (infinities and NaNs too).
  // InvalidArgument if some are outside the tensor, or if its dtype is not F32,
  // F16 or BF16; DataLoss if the file cannot be read. After an error `out` may
  // be partly written. REQUIRES: `tensor` belongs to this file.
  absl::Status ReadAsFloat(const TensorInfo& tensor, int64_t first_element,
                           absl::Span<float> out) const;

  // Calls `take` with all elements of `tensor` in row-major order, some bytes
  // at a time, as the file has them (little-endian). REQUIRES: `tensor` belongs
  // to this file.
  absl::Status ReadBytes(
      const TensorInfo& tensor,
      absl::FunctionRef<void(absl::Span<const uint8_t>)> take) const;

 private:
  InputFile file_;
  std::vector<TensorInfo> tensors_;
};

}  // namespace sheaf
