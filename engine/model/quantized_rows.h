// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "base/round_up.h"
#include "engine/kernels/kernels.h"
#include "engine/model/aligned_buffer.h"

namespace sheaf {

// Inputs of products in int8 (GemmInt8) that the members of a team quantize
// together, each its share of the rows or of the columns. Otherwise each would
// quantize all rows for itself, and read in f32 what the others have written.
//
// Thread-safe for different rows and columns. The caller sets a barrier before
// the products, and another behind them before anything is put again.
class QuantizedRows {
 public:
  // Room for `max_rows` rows of at most `max_K` values, put in at most
  // `max_parts` parts.
  QuantizedRows(const kernels::Kernels& kernels, int64_t max_rows,
                int64_t max_K, int64_t max_parts);

  // The words between two rows of K values.
  static int64_t RowWords(const kernels::Kernels& kernels, int64_t K) {
    return RoundUp<int64_t>(K, 4) / kernels.int8_group;
  }

  // Quantizes rows [begin, end) of x [rows, K]. All rows of a product have the
  // same K.
  void PutRows(const float* x, int64_t K, int64_t begin, int64_t end);

  // Columns [first, first + n) of x [num_rows, K], of which other members have
  // the others. Each part of the columns has a number.
  struct Columns {
    const float* x;
    int64_t num_rows, K;
    int64_t first, n;  // `first` is a multiple of 4
    int64_t part;
  };
  // Learns the largest values of these columns. After a barrier, all columns
  // can be put.
  void FindMaxima(const Columns& columns);
  // Quantizes these columns. REQUIRES: parts [0, num_parts) are all columns.
  void PutColumns(const Columns& columns, int64_t num_parts);

  // [rows, RowWords(K)] and [rows], as quantize_rows writes them.
  const int32_t* words() const { return words_.data(); }
  const float* scales() const { return scales_.data(); }

 private:
  int64_t max_rows() const { return static_cast<int64_t>(scales_.size()); }

  const kernels::Kernels& kernels_;
  AlignedBuffer<int32_t> words_;
  std::vector<float> scales_;
  std::vector<float> maxima_;  // [max_parts, max_rows]
};

}  // namespace sheaf
