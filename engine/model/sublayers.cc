#include "engine/model/sublayers.h"

#include <algorithm>

namespace sheaf {

void NormRows(const ThreadTeam::Member& member, const kernels::Kernels& kernels,
              const T5Config& config, const std::vector<float>& weight,
              const float* x, int32_t num_rows, float* normed) {
  const int64_t d_model = config.d_model;
  const auto [begin, end] = member.Share(num_rows);
  kernels.rms_norm(x + begin * d_model, d_model,
                   static_cast<int32_t>(end - begin), config.d_model,
                   weight.data(), config.layer_norm_epsilon,
                   normed + begin * d_model);
  member.Barrier();
}

namespace {

// hidden = act(in), or act(gate) * linear: of the columns that this member has
// just computed, so without a barrier.
void ActivateOwnSlices(const ThreadTeam::Member& member,
                       const kernels::Kernels& kernels, const T5Config& config,
                       const Linear& wi, int32_t num_rows,
                       FeedForwardBuffers& buffers) {
  const absl::Span<const Linear::Slice> slices = wi.slices();
  const int64_t gates = config.is_gated ? 2 : 1;
  for (size_t i = member.index(); i < slices.size(); i += member.count()) {
    const int64_t n = slices[i].num_columns / gates;
    for (int32_t row = 0; row < num_rows; ++row) {
      const float* in =
          buffers.in.data() + row * wi.num_columns() + slices[i].first_column;
      kernels.activate(config.activation, in,
                       config.is_gated ? in + n : nullptr, n,
                       buffers.hidden.data() + int64_t{row} * config.d_ff +
                           slices[i].first_column / gates);
    }
  }
}

}  // namespace

void AddFeedForward(const ThreadTeam::Member& member,
                    const kernels::Kernels& kernels, const T5Config& config,
                    const FeedForwardWeights& layer, float* x, int32_t num_rows,
                    float* normed, FeedForwardBuffers& buffers) {
  const int64_t d_model = config.d_model;
  NormRows(member, kernels, config, layer.norm, x, num_rows, normed);
  for (int32_t row = 0; row < num_rows; row += buffers.rows) {
    const int32_t n = std::min(buffers.rows, num_rows - row);
    layer.in.Run(member, normed + row * d_model, d_model, n, buffers.in.data(),
                 layer.in.num_columns(), /*accumulate=*/false);
    ActivateOwnSlices(member, kernels, config, layer.in, n, buffers);
    member.Barrier();
    layer.out.Run(member, buffers.hidden.data(), config.d_ff, n,
                  x + row * d_model, d_model, /*accumulate=*/true);
    member.Barrier();
  }
}

}  // namespace sheaf
