// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sheaf {

// The origin of a model's weights, by the tensor names of the checkpoint: its
// files, or random numbers for a benchmark. A model is built from it row by
// row, so that a tensor is never in memory twice.
//
// Thread-safe: several threads may call all methods at once.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  // The names of all tensors.
  virtual std::vector<std::string> Names() const = 0;

  virtual bool Has(absl::string_view name) const = 0;

  // NotFound, naming the tensor, if there is none.
  virtual absl::StatusOr<std::vector<int64_t>> Shape(
      absl::string_view name) const = 0;

  // Whether both names surely stand for the same elements; costs no reading. If
  // it returns false, the tensors may still be equal.
  virtual bool IsAlias(absl::string_view, absl::string_view) const {
    return false;
  }

  // Reads rows [first_row, first_row + num_rows) of a [rows, cols] tensor,
  // widened to f32, into `out` [num_rows, cols]; a 1-D tensor has one row. All
  // values are finite. After an error `out` may be partly written.
  virtual absl::Status ReadRows(absl::string_view name, int64_t first_row,
                                int64_t num_rows,
                                absl::Span<float> out) const = 0;
};

}  // namespace sheaf
