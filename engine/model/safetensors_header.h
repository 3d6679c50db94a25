// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

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

// As the file spells it: "BF16".
absl::string_view DtypeName(Dtype dtype);

struct TensorInfo {
  std::string name;
  Dtype dtype;
  std::vector<int64_t> shape;  // at most 8 dimensions; empty for a scalar
  int64_t num_elements;        // product of shape
  uint64_t begin;              // bytes from the start of the data
  uint64_t end;
};

// Size of one element in bytes.
uint32_t DtypeBytes(Dtype dtype);

// Returns the tensors of a safetensors file, ordered by name, from its JSON
// header and the size of the data after it. Refuses a header that breaks a rule
// of SafetensorsFile, and names `path`, tensor and rule.
absl::StatusOr<std::vector<TensorInfo>> ParseSafetensorsHeader(
    absl::string_view header, uint64_t data_bytes, const std::string& path);

}  // namespace sheaf
