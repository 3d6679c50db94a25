#pragma once

#include <cstdint>

#include "engine/kernels/kernels.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/weights.h"
#include "engine/thread_team.h"

namespace sheaf {

// What the layers of both stacks have in common. All functions are called by
// every member of a run, and begin and end where x is complete.

// Norms the rows of x [num_rows, d_model] into `normed`, each member its share.
void NormRows(const ThreadTeam::Member& member, const kernels::Kernels& kernels,
              const T5Config& config, const std::vector<float>& weight,
              const float* x, int32_t num_rows, float* normed);

// Memory for the feed-forward layers: rows pass through a few at a time.
struct FeedForwardBuffers {
  FeedForwardBuffers(const T5Config& config, int32_t max_rows)
      : rows(max_rows),
        in(int64_t{max_rows} * config.d_ff * (config.is_gated ? 2 : 1)),
        hidden(int64_t{max_rows} * config.d_ff) {}
  int32_t rows;
  AlignedBuffer in;      // [rows, wi columns]
  AlignedBuffer hidden;  // [rows, d_ff]
};

// x [num_rows, d_model] += feed_forward(norm(x)). `normed` has room for all
// rows.
void AddFeedForward(const ThreadTeam::Member& member,
                    const kernels::Kernels& kernels, const T5Config& config,
                    const FeedForwardWeights& layer, float* x, int32_t num_rows,
                    float* normed, FeedForwardBuffers& buffers);

}  // namespace sheaf
