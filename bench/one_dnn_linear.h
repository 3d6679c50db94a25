// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/model/linear.h"
#include "engine/thread_team.h"

namespace sheaf {

// y = x W^T by oneDNN, with the weights in its own layout: what our Linear is
// measured against. Each member of the team computes a slice of the columns, as
// there. Inputs and outputs are f32. For bf16, inputs are rounded to bf16. For
// int8, inputs are quantized by our kernel (unsigned, with 128 added, so the
// processor must have VNNI), and the 32-bit sums are scaled as in our products.
class OneDnnLinear {
 public:
  // weights [num_columns, K], row by row. Throws dnnl::error if oneDNN has no
  // such product on this processor. REQUIRES: `type` is f32, bf16 or int8.
  OneDnnLinear(const std::vector<float>& weights, int64_t K,
               int64_t num_columns, WeightType type, int32_t num_slices);
  OneDnnLinear(OneDnnLinear&&) noexcept;
  ~OneDnnLinear();

  int64_t bytes() const;  // of the weights, in memory

  // The name of oneDNN's implementation, for example "brg:avx512_core_vnni".
  std::string implementation() const;

  // This member's share of y [num_rows, num_columns]; x is dense.
  void Run(const ThreadTeam::Member& member, const float* x, int32_t num_rows,
           float* y, int64_t ldy) const;

 private:
  class Slice;
  std::vector<std::unique_ptr<Slice>> slices_;
};

}  // namespace sheaf
