// SPDX-License-Identifier: Apache-2.0

#include "engine/model/sublayers.h"

#include <algorithm>

namespace sheaf {

void NormRows(const ThreadTeam::Member& member, const kernels::Kernels& kernels,
              const Architecture& architecture,
              const std::vector<float>& weight, const float* x,
              int32_t num_rows, float* normed) {
  const int64_t d_model = static_cast<int64_t>(weight.size());
  const auto [begin, end] = member.Share(num_rows);
  kernels.rms_norm(x + begin * d_model, d_model,
                   static_cast<int32_t>(end - begin),
                   static_cast<int32_t>(d_model), weight.data(),
                   architecture.norm_epsilon, normed + begin * d_model);
  member.Barrier();
}

namespace {

// hidden = act(in), or act(gate) * up. A member takes the columns that it has
// just computed, so no barrier is needed.
void ActivateOwnSlices(const ThreadTeam::Member& member,
                       const kernels::Kernels& kernels,
                       const Architecture& architecture,
                       const FeedForwardWeights& layer, int32_t num_rows,
                       FeedForwardBuffers& buffers) {
  const absl::Span<const Linear::Slice> slices = layer.in.slices();
  const int64_t gates = architecture.is_gated ? 2 : 1;
  for (size_t i = member.index(); i < slices.size(); i += member.count()) {
    const int64_t n = slices[i].num_columns / gates;
    for (int32_t row = 0; row < num_rows; ++row) {
      const float* in = buffers.in.data() + row * layer.in.num_columns() +
                        slices[i].first_column;
      kernels.activate(architecture.activation, in,
                       architecture.is_gated ? in + n : nullptr, n,
                       buffers.hidden.data() + row * layer.out.K() +
                           slices[i].first_column / gates);
    }
  }
}

}  // namespace

void AddFeedForward(const ThreadTeam::Member& member,
                    const kernels::Kernels& kernels,
                    const Architecture& architecture,
                    const FeedForwardWeights& layer, float* x, int32_t num_rows,
                    float* normed, FeedForwardBuffers& buffers) {
  const int64_t d_model = layer.in.K();
  NormRows(member, kernels, architecture, layer.norm, x, num_rows, normed);
  for (int32_t row = 0; row < num_rows; row += buffers.rows) {
    const int32_t n = std::min(buffers.rows, num_rows - row);
    layer.in.Run(member, normed + row * d_model, d_model, n, buffers.in.data(),
                 layer.in.num_columns(), /*accumulate=*/false);
    ActivateOwnSlices(member, kernels, architecture, layer, n, buffers);
    member.Barrier();
    layer.out.Run(member, buffers.hidden.data(), layer.out.K(), n,
                  x + row * d_model, d_model, /*accumulate=*/true);
    member.Barrier();
  }
}

}  // namespace sheaf
