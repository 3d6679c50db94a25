// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/kernels/kernels.h"
#include "engine/model/quantized_rows.h"
#include "engine/model/weight_source.h"
#include "engine/thread_team.h"

namespace sheaf {

// The type in which weights are stored and multiplied. Between the products,
// activations are always f32.
enum class WeightType {
  kF32,
  kBf16,  // widened to f32 in the product, or inputs rounded (GemmBf16)
  kInt8,  // symmetric: weights by output channel, inputs by row at run time
  // As kInt8, except that the weights that only a decode step reads have 4 bits
  // and one scale per group of inputs (Linear: all weights). Few rows read
  // them, so that bytes are the limit. In the encoder, and where the keys and
  // values of a source are made, the multiplier is the limit.
  kInt4,
};

// "f32", "bf16", "int8" or "int4".
absl::string_view WeightTypeName(WeightType type);
// The inverse; nullopt for any other text.
std::optional<WeightType> ParseWeightType(absl::string_view name);

struct LinearOptions {
  const kernels::Kernels* kernels = nullptr;  // required
  int32_t num_slices = 1;                     // the thread team's size
  WeightType type = WeightType::kF32;
};

// The rows x [rows, K] that a product reads.
struct LinearInput {
  const float* x;
  int64_t ldx;
  // The same rows. Null: a product in int8 quantizes them itself.
  const QuantizedRows* quantized = nullptr;
};

// Some rows of a checkpoint's [rows, K] tensor.
struct WeightRows {
  std::string tensor;
  int64_t first_row;
  int64_t num_rows;
  // One value per row of the tensor; empty for none. Valid while it loads.
  absl::Span<const float> bias = {};
};

// y = x W^T + bias. The weights are read row by row and stored once, in
// the layout of the code that reads them.
//
// The columns of y are cut into slices, one per member of the thread team. A
// member computes its slices for all rows, so that members share only x. The
// values of a row of y do not depend on the other rows.
//
// Immutable after Load(), except for subsets; Run() may be called by all
// members at once.
class Linear {
 public:
  struct Slice {
    int64_t first_column;
    int64_t num_columns;
  };

  // Column j of y belongs to the j-th row listed in `slices`, slice after
  // slice. Either all rows have a bias or none has. INVALID_ARGUMENT if the
  // type is int8 and K is above kMaxInt8K. REQUIRES: slices.size() ==
  // options.num_slices; a slice may be empty.
  static absl::StatusOr<Linear> LoadSlices(
      const WeightSource& source, int64_t K,
      absl::Span<const std::vector<WeightRows>> slices,
      const LinearOptions& options);

  // All rows of the tensors, one tensor after the other.
  static absl::StatusOr<Linear> Load(const WeightSource& source, int64_t K,
                                     absl::Span<const WeightRows> rows,
                                     const LinearOptions& options);

  // A product with memory for `max_columns` columns of this one, and without
  // columns until CopyColumns().
  Linear MakeSubset(int64_t max_columns) const;

  // Makes column j of a subset column `columns`[j] of `from`, which made it,
  // and drops all others. Weights and bias are copied as they are, so the
  // values of y are the same to the bit. Allocates nothing; not while Run() is
  // called. REQUIRES: at most max_columns, and the team has as many members as
  // slices.
  void CopyColumns(const Linear& from, absl::Span<const int32_t> columns,
                   ThreadTeam& team);

  Linear();  // no columns: to be moved into
  Linear(Linear&&) noexcept;
  Linear& operator=(Linear&&) noexcept;
  ~Linear();

  WeightType type() const { return options_.type; }
  int64_t K() const { return K_; }
  int64_t num_columns() const { return num_columns_; }
  int64_t bytes() const { return bytes_; }  // in memory
  absl::Span<const Slice> slices() const { return slices_; }

  // Computes this member's share of y [num_rows, num_columns()] = x W^T + bias,
  // or += if `accumulate`. The caller sets the barriers: x must be complete
  // before the call, and y is complete after the next barrier. `ahead` is for
  // the kernel (GemmInt8); other types of weights do not use it.
  void Run(const ThreadTeam::Member& member, const LinearInput& input,
           int32_t num_rows, float* y, int64_t ldy, bool accumulate,
           kernels::ReadAhead* ahead = nullptr) const;

  // The bytes of `num_columns` columns, without padding.
  int64_t BytesOf(int64_t num_columns) const;

  // Copies column j of W^T, which is the j-th row loaded, to out [K], widened
  // to f32.
  void ReadColumn(int64_t column, float* out) const;

 private:
  class Packed;  // the weights of one slice
  class F32Panels;
  class Bf16Panels;
  class Int8Panels;
  class Int4Panels;
  static std::unique_ptr<Packed> MakePanels(const LinearOptions& options,
                                            int64_t K, int64_t num_columns);
  int64_t SliceOf(int64_t column) const;

  LinearOptions options_;

  int64_t K_ = 0;
  int64_t num_columns_ = 0;
  int64_t bytes_ = 0;
  std::vector<float> bias_;  // [num_columns]; empty if all are 0
  std::vector<Slice> slices_;
  std::vector<std::unique_ptr<Packed>> packed_;  // parallel to slices_
};

// Cuts [0, n) into `num_slices` ranges whose borders are multiples of 16 and
// whose sizes are as equal as that allows. The last may be shorter, and ranges
// may be empty.
std::vector<Linear::Slice> EvenSlices(int64_t n, int32_t num_slices);

}  // namespace sheaf
