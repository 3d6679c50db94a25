// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/model/description.h"
#include "train/convert/grouping.h"

namespace sheaf {

// Second moments of the inputs of a model's attentions over real text: the mean
// of x x^T over its tokens x, or of (x, 1) (x, 1)^T if its products have
// biases.
struct Calibration {
  std::vector<Matrix> self_input;  // [layers]: of self-attention
  std::vector<Matrix>
      cross_input;  // [layers]: of the cross-attention's queries
  Matrix encoder_output;
};

struct ConvertOptions {
  std::string input;   // a model directory
  std::string output;  // one that does not exist
  int32_t num_kv_heads = 0;
  int32_t num_cross_kv_heads = 0;
  GroupingMethod method = GroupingMethod::kMean;
  uint64_t seed = 0;
  const Calibration* calibration = nullptr;  // null: errors of the weights
};

// The result for one attention.
struct ConvertedAttention {
  int32_t layer = 0;
  bool is_cross = false;
  double key_error = 0;  // as RelativeError(), of the weights as stored
  double value_error = 0;
  int64_t saved_weight_bytes = 0;
};

// INVALID_ARGUMENT names the flag whose number of heads, or whose method, is
// not possible. kSvd moves a matrix from the keys to the queries, so nothing
// may stand between them: no rotation by position and no norm.
absl::Status CheckConvertible(const ModelDescription& description,
                              const ConvertOptions& options);

// Writes the model directory `output`. It has grouped key and value projections
// in the decoder and a config.json that says so; everything else is as in
// `input`, without other weight files. Tensors keep their dtype; shards become
// one file. The directory appears whole or not at all. `report` is called for
// each attention in the order of the layers.
//
// kSvd becomes kMean for a projection for which kMean is no worse after
// rounding to the stored dtype, for example if all heads are equal.
absl::Status ConvertModel(
    const ModelDescription& description, const ConvertOptions& options,
    absl::FunctionRef<void(const ConvertedAttention&)> report);

}  // namespace sheaf
