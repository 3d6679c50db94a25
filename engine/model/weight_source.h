#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sheaf {

// Where a model's weights come from, by the tensor names of the checkpoint
// format: a checkpoint, or random numbers for a benchmark. The model is built
// from it row by row, so that a tensor never lies in memory twice.
//
// Thread-safe: all methods may be called from several threads at once.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  // The names of all tensors.
  virtual std::vector<std::string> Names() const = 0;

  virtual bool Has(absl::string_view name) const = 0;

  // NotFound, naming the tensor, if there is none.
  virtual absl::StatusOr<std::vector<int64_t>> Shape(
      absl::string_view name) const = 0;

  // Rows [first_row, first_row + num_rows) of a [rows, cols] tensor, widened to
  // f32, into `out` [num_rows, cols]; a 1-D tensor has one row. All values are
  // finite. On an error `out` may be partly written.
  virtual absl::Status ReadRows(absl::string_view name, int64_t first_row,
                                int64_t num_rows,
                                absl::Span<float> out) const = 0;
};

}  // namespace sheaf
