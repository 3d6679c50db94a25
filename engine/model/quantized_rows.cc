// SPDX-License-Identifier: Apache-2.0

#include "engine/model/quantized_rows.h"

#include <algorithm>

namespace sheaf {

QuantizedRows::QuantizedRows(const kernels::Kernels& kernels, int64_t max_rows,
                             int64_t max_K, int64_t max_parts)
    : kernels_(kernels),
      words_(max_rows * RowWords(kernels, max_K)),
      scales_(max_rows),
      maxima_(max_parts * max_rows) {}

void QuantizedRows::PutRows(const float* x, int64_t K, int64_t begin,
                            int64_t end) {
  const int64_t row_words = RowWords(kernels_, K);
  kernels_.quantize_rows(x + begin * K, K, static_cast<int32_t>(end - begin),
                         static_cast<int32_t>(K),
                         words_.data() + begin * row_words, row_words,
                         scales_.data() + begin);
}

void QuantizedRows::FindMaxima(const Columns& columns) {
  float* maxima = maxima_.data() + columns.part * max_rows();
  for (int64_t row = 0; row < columns.num_rows; ++row) {
    maxima[row] =
        kernels_.max_magnitude(columns.x + row * columns.K + columns.first,
                               static_cast<int32_t>(columns.n));
  }
}

void QuantizedRows::PutColumns(const Columns& columns, int64_t num_parts) {
  const int64_t row_words = RowWords(kernels_, columns.K);
  for (int64_t row = 0; row < columns.num_rows; ++row) {
    float max = 0;
    for (int64_t part = 0; part < num_parts; ++part) {
      max = std::max(max, maxima_[part * max_rows() + row]);
    }
    if (columns.part == 0) scales_[row] = max / 127.0f;
    kernels_.quantize_columns(
        columns.x + row * columns.K + columns.first,
        static_cast<int32_t>(columns.n), max,
        words_.data() + row * row_words + columns.first / kernels_.int8_group);
  }
}

}  // namespace sheaf
