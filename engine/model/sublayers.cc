// SPDX-License-Identifier: Apache-2.0

#include "engine/model/sublayers.h"

#include <algorithm>
#include <vector>

namespace sheaf {
namespace {

// With at most so many rows, every member norms all of them for itself, which
// is cheaper than waiting for other members.
constexpr int32_t kRowsNormedByAll = 8;

}  // namespace

void Norm(const kernels::Kernels& kernels, const Architecture& architecture,
          const NormWeights& norm, const float* x, int64_t num_rows,
          float* out) {
  const int32_t d_model = static_cast<int32_t>(norm.weight.size());
  const int32_t rows = static_cast<int32_t>(num_rows);
  if (architecture.norm == NormKind::kRms) {
    kernels.rms_norm(x, d_model, rows, d_model, norm.weight.data(),
                     architecture.norm_epsilon, out);
  } else {
    kernels.layer_norm(x, d_model, rows, d_model, norm.weight.data(),
                       norm.bias.data(), architecture.norm_epsilon, out);
  }
}

void Sublayers::NormShare(const ThreadTeam::Member& member,
                          const NormWeights& norm, const float* x,
                          int32_t num_rows, float* out) const {
  const int64_t d_model = static_cast<int64_t>(norm.weight.size());
  const auto [begin, end] = member.Share(num_rows);
  Norm(kernels_, architecture_, norm, x + begin * d_model, end - begin,
       out + begin * d_model);
  member.Barrier();
}

const float* Sublayers::Normed(const ThreadTeam::Member& member,
                               const NormWeights& norm, const float* x,
                               int32_t num_rows, float* out) const {
  if (norm.is_absent()) return x;
  NormShare(member, norm, x, num_rows, out);
  return out;
}

const float* Sublayers::Begin(const ThreadTeam::Member& member,
                              const NormWeights& norm, const float* x,
                              int32_t num_rows, float* scratch) const {
  if (norm.is_absent() || num_rows > kRowsNormedByAll || member.count() == 1) {
    return Normed(member, norm, x, num_rows, scratch);
  }
  thread_local std::vector<float> own;
  const size_t num_floats = num_rows * norm.weight.size();
  if (own.size() < num_floats) own.resize(num_floats);
  // A member that the team has left out must not read x, which others write.
  if (member.index() < member.count()) {
    Norm(kernels_, architecture_, norm, x, num_rows, own.data());
  }
  return own.data();
}

void Sublayers::End(const ThreadTeam::Member& member,
                    const SublayerNorms& norms, const Linear& out,
                    const float* y, int32_t num_rows, float* x, float* scratch,
                    kernels::ReadAhead* ahead) const {
  const bool is_normed_alone = architecture_.norm_place == NormPlace::kBoth;
  out.Run(member, y, out.K(), num_rows, is_normed_alone ? scratch : x,
          out.num_columns(), /*accumulate=*/!is_normed_alone, ahead);
  member.Barrier();
  if (is_normed_alone) {
    AddNormed(member, norms.after, num_rows, scratch, x);
  } else if (!norms.after.is_absent()) {
    NormShare(member, norms.after, x, num_rows, x);
  }
}

void Sublayers::AddNormed(const ThreadTeam::Member& member,
                          const NormWeights& norm, int32_t num_rows, float* y,
                          float* x) const {
  const int64_t d_model = static_cast<int64_t>(norm.weight.size());
  const auto [begin, end] = member.Share(num_rows);
  Norm(kernels_, architecture_, norm, y + begin * d_model, end - begin,
       y + begin * d_model);
  for (int64_t i = begin * d_model; i < end * d_model; ++i) x[i] += y[i];
  member.Barrier();
}

// hidden = act(in), or act(gate) * up. A member takes the columns that it has
// just computed, so no barrier is needed.
void Sublayers::ActivateOwnSlices(const ThreadTeam::Member& member,
                                  const FeedForwardWeights& layer,
                                  int32_t num_rows,
                                  FeedForwardBuffers& buffers) const {
  const absl::Span<const Linear::Slice> slices = layer.in.slices();
  const int64_t gates = architecture_.is_gated ? 2 : 1;
  for (size_t i = member.index(); i < slices.size(); i += member.count()) {
    const int64_t n = slices[i].num_columns / gates;
    for (int32_t row = 0; row < num_rows; ++row) {
      const float* in = buffers.in.data() + row * layer.in.num_columns() +
                        slices[i].first_column;
      kernels_.activate(architecture_.activation, in,
                        architecture_.is_gated ? in + n : nullptr, n,
                        buffers.hidden.data() + row * layer.out.K() +
                            slices[i].first_column / gates);
    }
  }
}

void Sublayers::FeedForward(const ThreadTeam::Member& member,
                            const FeedForwardWeights& layer, float* x,
                            int32_t num_rows, float* scratch,
                            FeedForwardBuffers& buffers,
                            kernels::ReadAhead* ahead) const {
  const int64_t d_model = layer.in.K();
  const float* input = Begin(member, layer.norms.before, x, num_rows, scratch);
  for (int32_t row = 0; row < num_rows; row += buffers.rows) {
    const int32_t n = std::min(buffers.rows, num_rows - row);
    layer.in.Run(member, input + row * d_model, d_model, n, buffers.in.data(),
                 layer.in.num_columns(), /*accumulate=*/false, ahead);
    ActivateOwnSlices(member, layer, n, buffers);
    member.Barrier();
    End(member, layer.norms, layer.out, buffers.hidden.data(), n,
        x + row * d_model, scratch + row * d_model, ahead);
  }
}

}  // namespace sheaf
