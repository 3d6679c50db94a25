// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "engine/model/tensor_file.h"
#include "engine/model/torch_pickle.h"

namespace sheaf {

// A storage that a pickle refers to.
struct TorchStorage {
  Dtype dtype;
  int64_t num_elements;

  uint64_t num_bytes() const {
    return static_cast<uint64_t>(num_elements) * DtypeBytes(dtype);
  }
};

struct TorchStateDict {
  // Ordered by name; offsets count from the start of the tensor's storage.
  std::vector<TensorInfo> tensors;
  std::vector<std::string> storage_keys;                    // of each tensor
  absl::flat_hash_map<std::string, TorchStorage> storages;  // by key
};

// Returns the tensors of a state dict, which is `root` of `pickle`. Refuses
// what breaks rule 3 or 5 of OpenTorchFile().
absl::StatusOr<TorchStateDict> ReadTorchStateDict(
    const TorchPickleReader& pickle, int32_t root);

}  // namespace sheaf
