#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "train/common/model_config.h"

namespace sheaf {

using NamedTensors = std::map<std::string, at::Tensor>;

// The tensors of a model directory: model.safetensors, or the shards of its
// index. F32, F16, BF16, F64 and I64 only. Returns what is wrong; empty if
// nothing is.
std::string ReadTensors(const std::string& directory, NamedTensors& tensors);

// The same of one safetensors file.
std::string ReadTensorFile(const std::string& path, NamedTensors& tensors);

// Brings the tensors of a checkpoint to those that T5 has: the table is
// `shared.weight` under whatever name the checkpoint has it, copies of it are
// left out as is what old checkpoints hold unused, and `config` has a head of
// its own where the checkpoint has one that differs, or where config.json asks
// for one. Returns what is wrong.
std::string MatchTensors(NamedTensors& tensors, ModelConfig& config);

// Writes a safetensors file by way of a second one beside it, so that `path`
// is always whole. Tensors are written in the order of their names, those that
// are floating as `dtype` if one is given.
std::string WriteTensorFile(const std::string& path,
                            const NamedTensors& tensors,
                            std::optional<at::ScalarType> dtype = std::nullopt);

}  // namespace sheaf
