// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/model/tensor_file.h"
#include "engine/model/weight_source.h"

namespace sheaf {

// The weights of a Hugging Face model directory: `model.safetensors`, or else
// the shards that `model.safetensors.index.json` names, or else
// `pytorch_model.bin`, or else the shards that `pytorch_model.bin.index.json`
// names. Only the first of these that exists is read.
//
// Invariants, which Open() verifies; it refuses files that break one:
//   1. A tensor is in one file only.
//   2. The index maps exactly the tensors of the shards, each to its shard; it
//      may also list names of shared tensors that no shard holds.
//   3. A shard is a file of the directory itself: its name has no path.
class Checkpoint : public WeightSource {
 public:
  // Opens all files and reads their headers, but no weights. NotFound if the
  // directory has none of these, or lacks shards that its index names.
  // InvalidArgument if it is the directory of an adapter.
  static absl::StatusOr<Checkpoint> Open(const std::string& directory);

  // In the order of their names.
  absl::Span<const TensorFile> files() const { return files_; }

  std::vector<std::string> Names() const override;
  bool Has(absl::string_view name) const override;
  absl::StatusOr<std::vector<int64_t>> Shape(
      absl::string_view name) const override;

  bool IsAlias(absl::string_view name, absl::string_view other) const override;

  // Refuses NaN and infinite weights, which would make a whole batch useless.
  absl::Status ReadRows(absl::string_view name, int64_t first_row,
                        int64_t num_rows, absl::Span<float> out) const override;

 private:
  struct Place {
    const TensorFile* file;
    const TensorInfo* tensor;
  };

  Checkpoint(std::string directory, std::vector<TensorFile> files)
      : directory_(std::move(directory)), files_(std::move(files)) {}

  absl::StatusOr<Place> Find(absl::string_view name) const;

  std::string directory_;
  std::vector<TensorFile> files_;
};

}  // namespace sheaf
