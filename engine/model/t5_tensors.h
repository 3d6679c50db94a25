#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engine/model/t5_config.h"
#include "engine/model/weight_source.h"

namespace sheaf {

struct T5Tensor {
  std::string name;
  std::vector<int64_t> shape;
};

// The weights of both stacks: all but the embedding table and the head.
std::vector<T5Tensor> T5StackTensors(const T5Config& config);

// Compares a checkpoint with the configuration, before any memory is taken for
// weights, and sets what only the checkpoint knows:
//   table_tensor  `shared.weight`, or one of its copies in the stacks where it
//                 is absent
//   head_tensor   `lm_head.weight` if it is there and differs from the table,
//                 else the table
//   warnings      tensors that have no place in the model
//
// NOT_FOUND names a tensor that is absent. INVALID_ARGUMENT names one with
// another shape than `config` asks for, of a type that is not read, or that
// changes what the model computes in a way that it does not know (a bias, a
// further layer, an adapter, a scale of quantized weights, an embedding of one
// stack alone): such a checkpoint must not be served as another model.
absl::Status MatchT5Tensors(const WeightSource& source, T5Config& config);

}  // namespace sheaf
