// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/checkpoint.h"
#include "engine/model/description.h"
#include "train/convert/convert.h"

namespace sheaf {

// The tensor names of a projection.
struct Projection {
  std::string weight;
  std::string bias;  // empty: none
};

// One attention of the decoder.
struct DecoderAttention {
  int32_t layer = 0;
  bool is_cross = false;
  Projection q, k, v, o;

  int32_t KvHeads(const ConvertOptions& options) const {
    return is_cross ? options.num_cross_kv_heads : options.num_kv_heads;
  }

  // The names of all tensors, in the order of a std::map.
  std::vector<std::string> Names() const;
};

// The attentions of a model in the order of the layers. REQUIRES:
// MatchTensors() has matched the description.
std::vector<DecoderAttention> AttentionsOf(const ModelDescription& description);

// A converted tensor as it is to be stored.
struct NewTensor {
  Dtype dtype;
  std::vector<uint8_t> bytes;
};
using NewTensors = std::map<std::string, NewTensor>;

// The tensors of one attention with fewer KV heads, by name, rounded to the
// types that they are stored in. Fills `report`.
//
// A product with a bias is a product of (x, 1) with one more column. So the
// scores of an attention with biases are bilinear too, and kSvd holds for them:
//   - The bias of q is a column of the left factor.
//   - The bias of k adds the same number to all scores of a query, which the
//     softmax ignores. It is grouped like the weights and does not count in the
//     error.
//   - The bias of v passes through the softmax, whose weights add up to 1. kSvd
//     adds it to the bias of the output, which is exact, and leaves 0. The
//     other methods group it like the weights.
absl::StatusOr<NewTensors> ConvertAttention(const Architecture& architecture,
                                            const ConvertOptions& options,
                                            const Checkpoint& checkpoint,
                                            const DecoderAttention& attention,
                                            ConvertedAttention& report);

}  // namespace sheaf
