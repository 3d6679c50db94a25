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

// Second moments of what a model's attentions read, over real text: for each
// token x of it, the mean of x x^T.
struct Calibration {
  std::vector<Matrix> self_input;  // [layers]: of self-attention, normed
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

// What became of one attention.
struct ConvertedAttention {
  int32_t layer = 0;
  bool is_cross = false;
  double key_error = 0;  // as RelativeError(), of the weights as stored
  double value_error = 0;
  int64_t saved_weight_bytes = 0;
};

// INVALID_ARGUMENT names the flag whose number of heads the model can't have.
absl::Status CheckConvertible(const Architecture& architecture,
                              const ConvertOptions& options);

// Writes the model directory `output`: the decoder's key and value projections
// grouped, config.json saying so, all else as it is in `input` (other weight
// files are left out). Tensors keep their dtype; shards become one file. The
// directory appears whole or not at all. `report` is called for each attention
// in the order of the layers.
//
// kSvd is kMean for a projection where that is no worse once rounded to the
// stored dtype (heads that are all alike).
absl::Status ConvertModel(
    const ModelDescription& description, const ConvertOptions& options,
    absl::FunctionRef<void(const ConvertedAttention&)> report);

}  // namespace sheaf
