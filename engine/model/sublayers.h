// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "engine/kernels/kernels.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/architecture.h"
#include "engine/model/linear.h"
#include "engine/model/quantized_rows.h"
#include "engine/model/weights.h"
#include "engine/thread_team.h"

namespace sheaf {

// Writes norm(x) [num_rows, d_model] to `out`, which may be x, on the calling
// thread.
void Norm(const kernels::Kernels& kernels, const Architecture& architecture,
          const NormWeights& norm, const float* x, int64_t num_rows,
          float* out);

// Memory of the sub-layers of a stack for up to `max_rows` rows.
struct SublayerBuffers {
  SublayerBuffers(const Weights& weights, const StackShape& shape,
                  const kernels::Kernels& kernels, int32_t max_rows);
  AlignedBuffer<float> in;      // [rows, columns of FeedForwardWeights::in]
  AlignedBuffer<float> hidden;  // [rows, d_ff]
  QuantizedRows quantized;      // what the next products read
};

// The steps around every sub-layer of both stacks. Every member of a run calls
// these functions, which begin and end where x [num_rows, d_model] is complete.
// `scratch` has room for all rows of x. `ahead` is for the products (Linear).
//
// The members quantize many rows together, and a few rows each for itself.
class Sublayers {
 public:
  Sublayers(const Architecture& architecture, const kernels::Kernels& kernels)
      : architecture_(architecture), kernels_(kernels) {}

  // norm(x) in `out`, or x if there is no such norm, for `reader`. Ends where
  // it is complete.
  LinearInput Normed(const ThreadTeam::Member& member, const NormWeights& norm,
                     const Linear& reader, const float* x, int32_t num_rows,
                     float* out, SublayerBuffers& buffers) const;

  // The rows that a sub-layer reads, which are those of Normed(). A few rows
  // are in memory of the calling thread, which its next call overwrites; more
  // are in `scratch`.
  LinearInput Begin(const ThreadTeam::Member& member, const NormWeights& norm,
                    const Linear& reader, const float* x, int32_t num_rows,
                    float* scratch, SublayerBuffers& buffers) const;

  // Adds the result out(y) of a sub-layer to x, with the norms that stand after
  // it. y has out.K() columns. `scratch` may be what Begin() returned.
  void End(const ThreadTeam::Member& member, const SublayerNorms& norms,
           const Linear& out, const float* y, int32_t num_rows, float* x,
           float* scratch, SublayerBuffers& buffers,
           kernels::ReadAhead* ahead = nullptr) const;

  // The whole feed-forward sub-layer.
  void FeedForward(const ThreadTeam::Member& member,
                   const FeedForwardWeights& layer, float* x, int32_t num_rows,
                   float* scratch, SublayerBuffers& buffers,
                   kernels::ReadAhead* ahead = nullptr) const;

 private:
  // x, which is complete, for `reader`: many rows of int8 are quantized. Ends
  // where that is complete too.
  LinearInput Quantized(const ThreadTeam::Member& member, const Linear& reader,
                        const float* x, int32_t num_rows,
                        SublayerBuffers& buffers) const;
  // Adds out(input) to x, with the norms that stand after it.
  void AddResult(const ThreadTeam::Member& member, const SublayerNorms& norms,
                 const Linear& out, const LinearInput& input, int32_t num_rows,
                 float* x, float* scratch, kernels::ReadAhead* ahead) const;
  // x += norm(y); y is lost.
  void AddNormed(const ThreadTeam::Member& member, const NormWeights& norm,
                 int32_t num_rows, float* y, float* x) const;
  // Each member norms its share of the rows.
  void NormShare(const ThreadTeam::Member& member, const NormWeights& norm,
                 const float* x, int32_t num_rows, float* out) const;
  // hidden = act(in), or act(gate) * up, for layer.out. Ends where it is
  // complete.
  LinearInput Activated(const ThreadTeam::Member& member,
                        const FeedForwardWeights& layer, int32_t num_rows,
                        SublayerBuffers& buffers) const;

  const Architecture& architecture_;
  const kernels::Kernels& kernels_;
};

}  // namespace sheaf
