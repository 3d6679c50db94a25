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
#include "engine/model/weight_source.h"
#include "engine/thread_team.h"

namespace sheaf {

// What the weights are kept and multiplied as. Activations are f32 between the
// products in every case.
enum class WeightType {
  kF32,
  kBf16,  // widened to f32 in the product, or inputs rounded (GemmBf16)
  kInt8,  // symmetric: weights by output channel, inputs by row at run time
};

absl::string_view WeightTypeName(WeightType type);  // "f32", "bf16", "int8"
// The inverse; nothing for any other text.
std::optional<WeightType> ParseWeightType(absl::string_view name);

struct LinearOptions {
  const kernels::Kernels* kernels = nullptr;  // required
  int32_t num_slices = 1;                     // the thread team's size
  WeightType type = WeightType::kF32;
};

// Some rows of a checkpoint's [rows, K] tensor.
struct WeightRows {
  std::string tensor;
  int64_t first_row;
  int64_t num_rows;
};

// y = x W^T without a bias. The weights are read row by row, laid out
// once for the code that reads them, and kept once.
//
// The columns of y are cut in slices, one for each member of the thread team:
// a member computes its slices for all rows, so members share nothing but x.
// What y holds for a row does not depend on the other rows.
//
// Immutable after Load(); Run() may be called by all members at once.
class Linear {
 public:
  struct Slice {
    int64_t first_column;
    int64_t num_columns;
  };

  // Column j of y belongs to the j-th row listed in `slices`, slice after
  // slice. INVALID_ARGUMENT if K is above kMaxInt8K in int8. REQUIRES:
  // slices.size() == options.num_slices, each with at least one row or none at
  // all.
  static absl::StatusOr<Linear> LoadSlices(
      const WeightSource& source, int64_t K,
      absl::Span<const std::vector<WeightRows>> slices,
      const LinearOptions& options);

  // All rows of the tensors, one tensor after the other.
  static absl::StatusOr<Linear> Load(const WeightSource& source, int64_t K,
                                     absl::Span<const WeightRows> rows,
                                     const LinearOptions& options);

  Linear();  // no columns: to be moved into
  Linear(Linear&&) noexcept;
  Linear& operator=(Linear&&) noexcept;
  ~Linear();

  int64_t K() const { return K_; }
  int64_t num_columns() const { return num_columns_; }
  int64_t bytes() const { return bytes_; }  // of the weights, in memory
  absl::Span<const Slice> slices() const { return slices_; }

  // This member's share of y [num_rows, num_columns()] = x W^T, or += if
  // `accumulate`. The caller sets the barriers: x is to be complete before,
  // and y is only after one.
  void Run(const ThreadTeam::Member& member, const float* x, int64_t ldx,
           int32_t num_rows, float* y, int64_t ldy, bool accumulate) const;

  // Copies column j of W^T, which is the j-th row loaded, to out [K], widened
  // from what it is kept as.
  void ReadColumn(int64_t column, float* out) const;

 private:
  class Packed;  // the weights of one slice
  class F32Panels;
  class Bf16Panels;
  class Int8Panels;
  static std::unique_ptr<Packed> MakePanels(const LinearOptions& options,
                                            int64_t K, int64_t num_columns);

  int64_t K_ = 0;
  int64_t num_columns_ = 0;
  int64_t bytes_ = 0;
  std::vector<Slice> slices_;
  std::vector<std::unique_ptr<Packed>> packed_;  // beside slices_
};

// Cuts [0, n) in `num_slices` ranges whose borders are multiples of 16, the
// sizes as equal as that allows; the last may be shorter, or all empty but one.
std::vector<Linear::Slice> EvenSlices(int64_t n, int32_t num_slices);

}  // namespace sheaf
