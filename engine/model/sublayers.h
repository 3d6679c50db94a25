// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "engine/kernels/kernels.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/architecture.h"
#include "engine/model/weights.h"
#include "engine/thread_team.h"

namespace sheaf {

// Writes norm(x) [num_rows, d_model] to `out`, which may be x, on the calling
// thread.
void Norm(const kernels::Kernels& kernels, const Architecture& architecture,
          const NormWeights& norm, const float* x, int64_t num_rows,
          float* out);

// Memory of the feed-forward layers of a stack, through which up to `max_rows`
// rows pass at a time.
struct FeedForwardBuffers {
  FeedForwardBuffers(const Architecture& architecture, const StackShape& shape,
                     int32_t max_rows)
      : rows(max_rows),
        in(int64_t{max_rows} * shape.d_ff * (architecture.is_gated ? 2 : 1)),
        hidden(int64_t{max_rows} * shape.d_ff) {}
  int32_t rows;
  AlignedBuffer<float> in;      // [rows, columns of FeedForwardWeights::in]
  AlignedBuffer<float> hidden;  // [rows, d_ff]
};

// The steps around every sub-layer of both stacks. Every member of a run calls
// these functions, which begin and end where x [num_rows, d_model] is complete.
// `scratch` has room for all rows of x. `ahead` is for the products (Linear).
class Sublayers {
 public:
  Sublayers(const Architecture& architecture, const kernels::Kernels& kernels)
      : architecture_(architecture), kernels_(kernels) {}

  // norm(x) in `out`, or x if there is no such norm. Ends where it is complete.
  const float* Normed(const ThreadTeam::Member& member, const NormWeights& norm,
                      const float* x, int32_t num_rows, float* out) const;

  // The rows that a sub-layer reads, which are those of Normed(). A few rows
  // are in memory of the calling thread, which its next call overwrites; more
  // are in `scratch`.
  const float* Begin(const ThreadTeam::Member& member, const NormWeights& norm,
                     const float* x, int32_t num_rows, float* scratch) const;

  // Adds the result out(y) of a sub-layer to x, with the norms that stand after
  // it. y has out.K() columns. `scratch` may be what Begin() returned.
  void End(const ThreadTeam::Member& member, const SublayerNorms& norms,
           const Linear& out, const float* y, int32_t num_rows, float* x,
           float* scratch, kernels::ReadAhead* ahead = nullptr) const;

  // The whole feed-forward sub-layer.
  void FeedForward(const ThreadTeam::Member& member,
                   const FeedForwardWeights& layer, float* x, int32_t num_rows,
                   float* scratch, FeedForwardBuffers& buffers,
                   kernels::ReadAhead* ahead = nullptr) const;

 private:
  // x += norm(y); y is lost.
  void AddNormed(const ThreadTeam::Member& member, const NormWeights& norm,
                 int32_t num_rows, float* y, float* x) const;
  // Each member norms its share of the rows.
  void NormShare(const ThreadTeam::Member& member, const NormWeights& norm,
                 const float* x, int32_t num_rows, float* out) const;
  void ActivateOwnSlices(const ThreadTeam::Member& member,
                         const FeedForwardWeights& layer, int32_t num_rows,
                         FeedForwardBuffers& buffers) const;

  const Architecture& architecture_;
  const kernels::Kernels& kernels_;
};

}  // namespace sheaf
