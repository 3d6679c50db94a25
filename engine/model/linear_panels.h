// SPDX-License-Identifier: Apache-2.0

#pragma once

// The panels of a Linear; a part of linear.cc.

#include <cstdint>

#include "engine/kernels/kernels.h"
#include "engine/model/linear.h"

namespace sheaf {

// The number of panels of 16 columns that hold `num_columns`.
inline int64_t NumPanels(int64_t num_columns) {
  return (num_columns + kernels::kPanel - 1) / kernels::kPanel;
}

// The weights of one slice, [K, num_columns], in the layout of its code.
class Linear::Packed {
 public:
  virtual ~Packed() = default;
  virtual int64_t bytes() const = 0;
  // rows [num_rows, K] become the columns from first_column on.
  virtual void Pack(int64_t first_column, int64_t num_rows,
                    const float* rows) = 0;
  // `bias` has the slice's columns, or is null.
  virtual void Run(const LinearInput& input, int32_t num_rows, float* y,
                   int64_t ldy, bool accumulate, const float* bias,
                   kernels::ReadAhead* ahead) = 0;
  virtual void ReadColumn(int64_t column, float* out) const = 0;
  // For subsets: the number of columns may change up to the first one, and a
  // column become a copy of another's, which has the same class and K.
  virtual void Resize(int64_t num_columns) = 0;
  virtual void CopyColumn(int64_t column, const Packed& from,
                          int64_t from_column) = 0;
};

}  // namespace sheaf
