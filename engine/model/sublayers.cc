// SPDX-License-Identifier: Apache-2.0

#include "engine/model/sublayers.h"

#include <algorithm>
#include <vector>

namespace sheaf {
namespace {

// With at most so many rows, every member norms and quantizes all of them for
// itself, which is cheaper than waiting for other members.
constexpr int32_t kRowsOfAll = 3;

bool ReadsQuantized(const Linear& reader, int32_t num_rows) {
  return reader.type() == WeightType::kInt8 && num_rows > kRowsOfAll;
}

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

SublayerBuffers::SublayerBuffers(const Weights& weights,
                                 const StackShape& shape,
                                 const kernels::Kernels& kernels,
                                 int32_t max_rows)
    : in(int64_t{max_rows} * shape.d_ff *
         (weights.architecture.is_gated ? 2 : 1)),
      hidden(int64_t{max_rows} * shape.d_ff),
      quantized(
          kernels,
          weights.type == WeightType::kInt8 || weights.type == WeightType::kInt4
              ? max_rows
              : 0,
          std::max<int64_t>({shape.d_model, shape.q_columns(), shape.d_ff}),
          static_cast<int64_t>(weights.head.slices().size())) {}

void Sublayers::NormShare(const ThreadTeam::Member& member,
                          const NormWeights& norm, const float* x,
                          int32_t num_rows, float* out) const {
  const int64_t d_model = static_cast<int64_t>(norm.weight.size());
  const auto [begin, end] = member.Share(num_rows);
  Norm(kernels_, architecture_, norm, x + begin * d_model, end - begin,
       out + begin * d_model);
  member.Barrier();
}

LinearInput Sublayers::Quantized(const ThreadTeam::Member& member,
                                 const Linear& reader, const float* x,
                                 int32_t num_rows,
                                 SublayerBuffers& buffers) const {
  if (!ReadsQuantized(reader, num_rows)) return {x, reader.K()};
  const auto [begin, end] = member.Share(num_rows);
  buffers.quantized.PutRows(x, reader.K(), begin, end);
  member.Barrier();
  return {x, reader.K(), &buffers.quantized};
}

LinearInput Sublayers::Normed(const ThreadTeam::Member& member,
                              const NormWeights& norm, const Linear& reader,
                              const float* x, int32_t num_rows, float* out,
                              SublayerBuffers& buffers) const {
  if (norm.is_absent()) return Quantized(member, reader, x, num_rows, buffers);
  const int64_t d_model = reader.K();
  if (!ReadsQuantized(reader, num_rows)) {
    NormShare(member, norm, x, num_rows, out);
    return {out, d_model};
  }
  const auto [begin, end] = member.Share(num_rows);
  for (int64_t row = begin; row < end; ++row) {
    Norm(kernels_, architecture_, norm, x + row * d_model, 1,
         out + row * d_model);
    buffers.quantized.PutRows(out, d_model, row, row + 1);
  }
  member.Barrier();
  return {out, d_model, &buffers.quantized};
}

LinearInput Sublayers::Begin(const ThreadTeam::Member& member,
                             const NormWeights& norm, const Linear& reader,
                             const float* x, int32_t num_rows, float* scratch,
                             SublayerBuffers& buffers) const {
  if (norm.is_absent() || num_rows > kRowsOfAll || member.count() == 1) {
    return Normed(member, norm, reader, x, num_rows, scratch, buffers);
  }
  thread_local std::vector<float> own;
  const size_t num_floats = num_rows * norm.weight.size();
  if (own.size() < num_floats) own.resize(num_floats);
  // A member that the team has left out must not read x, which others write.
  if (member.index() < member.count()) {
    Norm(kernels_, architecture_, norm, x, num_rows, own.data());
  }
  return {own.data(), reader.K()};
}

void Sublayers::End(const ThreadTeam::Member& member,
                    const SublayerNorms& norms, const Linear& out,
                    const float* y, int32_t num_rows, float* x, float* scratch,
                    SublayerBuffers& buffers, kernels::ReadAhead* ahead) const {
  const LinearInput input = Quantized(member, out, y, num_rows, buffers);
  AddResult(member, norms, out, input, num_rows, x, scratch, ahead);
}

void Sublayers::AddResult(const ThreadTeam::Member& member,
                          const SublayerNorms& norms, const Linear& out,
                          const LinearInput& input, int32_t num_rows, float* x,
                          float* scratch, kernels::ReadAhead* ahead) const {
  const bool is_normed_alone = architecture_.norm_place == NormPlace::kBoth;
  out.Run(member, input, num_rows, is_normed_alone ? scratch : x,
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

// A member takes the columns that it has just computed, which are in its cache.
LinearInput Sublayers::Activated(const ThreadTeam::Member& member,
                                 const FeedForwardWeights& layer,
                                 int32_t num_rows,
                                 SublayerBuffers& buffers) const {
  const absl::Span<const Linear::Slice> slices = layer.in.slices();
  const int64_t gates = architecture_.is_gated ? 2 : 1;
  const int64_t d_ff = layer.out.K();
  const bool is_quantized = ReadsQuantized(layer.out, num_rows);
  const auto columns_of = [&](size_t slice) -> QuantizedRows::Columns {
    return {.x = buffers.hidden.data(),
            .num_rows = num_rows,
            .K = d_ff,
            .first = slices[slice].first_column / gates,
            .n = slices[slice].num_columns / gates,
            .part = static_cast<int64_t>(slice)};
  };
  for (size_t i = member.index(); i < slices.size(); i += member.count()) {
    const QuantizedRows::Columns columns = columns_of(i);
    for (int64_t row = 0; row < num_rows; ++row) {
      const float* in = buffers.in.data() + row * layer.in.num_columns() +
                        slices[i].first_column;
      kernels_.activate(architecture_.activation, in,
                        architecture_.is_gated ? in + columns.n : nullptr,
                        columns.n,
                        buffers.hidden.data() + row * d_ff + columns.first);
    }
    if (is_quantized) buffers.quantized.FindMaxima(columns);
  }
  member.Barrier();
  if (!is_quantized) return {buffers.hidden.data(), d_ff};
  for (size_t i = member.index(); i < slices.size(); i += member.count()) {
    buffers.quantized.PutColumns(columns_of(i),
                                 static_cast<int64_t>(slices.size()));
  }
  member.Barrier();
  return {buffers.hidden.data(), d_ff, &buffers.quantized};
}

void Sublayers::FeedForward(const ThreadTeam::Member& member,
                            const FeedForwardWeights& layer, float* x,
                            int32_t num_rows, float* scratch,
                            SublayerBuffers& buffers,
                            kernels::ReadAhead* ahead) const {
  const LinearInput input = Begin(member, layer.norms.before, layer.in, x,
                                  num_rows, scratch, buffers);
  layer.in.Run(member, input, num_rows, buffers.in.data(),
               layer.in.num_columns(), /*accumulate=*/false, ahead);
  AddResult(member, layer.norms, layer.out,
            Activated(member, layer, num_rows, buffers), num_rows, x, scratch,
            ahead);
}

}  // namespace sheaf
