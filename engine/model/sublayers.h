// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/architecture.h"
#include "engine/model/weights.h"
#include "engine/thread_team.h"

namespace sheaf {

// The common parts of the layers of both stacks. Every member of a run calls
// these functions. They begin and end where x is complete.

// Writes norm(x) [num_rows, d_model] to `normed`; each member does its share of
// the rows.
void NormRows(const ThreadTeam::Member& member, const kernels::Kernels& kernels,
              const Architecture& architecture,
              const std::vector<float>& weight, const float* x,
              int32_t num_rows, float* normed);

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

// x [num_rows, d_model] += feed_forward(norm(x)). `normed` has room for all
// rows.
void AddFeedForward(const ThreadTeam::Member& member,
                    const kernels::Kernels& kernels,
                    const Architecture& architecture,
                    const FeedForwardWeights& layer, float* x, int32_t num_rows,
                    float* normed, FeedForwardBuffers& buffers);

}  // namespace sheaf
