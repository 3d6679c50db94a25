// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/thread_team.h"

namespace sheaf {

// y = x W^T in f32 by oneDNN, with the weights in its own layout: what our
// Linear is measured against. Each member of the team computes a slice of the
// columns, as there.
class OneDnnLinear {
 public:
  // weights [num_columns, K], row by row. Throws dnnl::error.
  OneDnnLinear(const std::vector<float>& weights, int64_t K,
               int64_t num_columns, int32_t num_slices);
  OneDnnLinear(OneDnnLinear&&) noexcept;
  ~OneDnnLinear();

  int64_t bytes() const;  // of the weights, in memory

  // This member's share of y [num_rows, num_columns]; x is dense.
  void Run(const ThreadTeam::Member& member, const float* x, int32_t num_rows,
           float* y, int64_t ldy) const;

 private:
  class Slice;
  std::vector<std::unique_ptr<Slice>> slices_;
};

}  // namespace sheaf
