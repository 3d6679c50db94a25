#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/model/t5_config.h"
#include "engine/model/weight_source.h"

namespace sheaf {

// Weights out of nothing, for benchmarks: no file, and no memory but what the
// caller asks for. A value depends on its tensor's name and its place alone, so
// a tensor is the same in whatever pieces it is read.
//
// Thread-safe once all tensors are added.
class RandomWeights : public WeightSource {
 public:
  RandomWeights() = default;

  // All tensors of such a model, table_tensor and head_tensor included, scaled
  // as T5 is initialized: what goes through
  // the layers stays in a range where no arithmetic is slower than in a trained
  // model (no infinities, no denormals).
  explicit RandomWeights(const T5Config& config);

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

  void AddFeedForward(const T5Config& config, const std::string& prefix);
  void AddAttention(const T5Config& config, const std::string& prefix,
                    int64_t num_kv_heads);

  absl::flat_hash_map<std::string, Tensor> tensors_;
};

}  // namespace sheaf
