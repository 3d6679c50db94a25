// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/model/description.h"
#include "engine/model/weight_source.h"

namespace sheaf {

// Generated weights for benchmarks: no file, and no memory except the caller's
// buffers. A value depends only on the name of its tensor and its position, so
// a tensor is the same in whatever parts it is read.
//
// Thread-safe once all tensors are added.
class RandomWeights : public WeightSource {
 public:
  RandomWeights() = default;

  // All tensors of such a model, with the names of its family, scaled like the
  // initial weights of a training: the values between the layers stay in a
  // range where no arithmetic is slower than in a trained model (no infinities,
  // no denormals).
  explicit RandomWeights(const ModelDescription& description);

  // Adds a tensor of values evenly spread around `mean`.
  void Add(const std::string& name, std::vector<int64_t> shape, float mean,
           float standard_deviation);

  std::vector<std::string> Names() const override;
  bool Has(absl::string_view name) const override;
  absl::StatusOr<std::vector<int64_t>> Shape(
      absl::string_view name) const override;
  absl::Status ReadRows(absl::string_view name, int64_t first_row,
                        int64_t num_rows, absl::Span<float> out) const override;

 private:
  struct Tensor {
    std::vector<int64_t> shape;
    float lowest;  // values are in [lowest, lowest + range)
    float range;
    uint64_t seed;
  };

  absl::flat_hash_map<std::string, Tensor> tensors_;
};

}  // namespace sheaf
