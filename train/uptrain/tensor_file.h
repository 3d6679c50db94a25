// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "train/common/model_config.h"
#include "train/common/result.h"

namespace sheaf {

using NamedTensors = std::map<std::string, at::Tensor>;

// Reads the tensors of a model directory: model.safetensors, or the shards of
// its index. F32, F16, BF16, F64 and I64 only. Errors name the file.
Result<NamedTensors> ReadTensors(const std::string& directory);

// The same for one safetensors file.
Result<NamedTensors> ReadTensorFile(const std::string& path);

// Converts the tensors of a checkpoint to those of T5. The table becomes
// `shared.weight`, whatever its name in the checkpoint. Copies of it and unused
// tensors of old checkpoints are removed. `config.has_own_head` becomes true if
// the checkpoint has a head that differs from the table.
Result<void> MatchTensors(NamedTensors& tensors, ModelConfig& config);

// Writes a safetensors file under another name and renames it, so that `path`
// is complete at all times. Tensors are in the order of their names.
// Floating-point tensors are written as `dtype` if one is given.
Result<void> WriteTensorFile(
    const std::string& path, const NamedTensors& tensors,
    std::optional<at::ScalarType> dtype = std::nullopt);

}  // namespace sheaf
