// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "ATen/ATen.h"
#include "train/uptrain/t5.h"

namespace sheaf {

struct HeadLoss {
  at::Tensor cross_entropy;  // scalar: sum over the rows, not smoothed
  at::Tensor training;       // scalar with a gradient: smoothed
};

// The loss of the tokens that `states` [n, d] predict through `head`
// [vocab_size, d]. The true ids are `targets` [n]. The logits, by far the
// largest tensor of a step, and their gradient are computed and used a few rows
// at a time, so that they stay in the processor's cache.
HeadLoss ComputeHeadLoss(const at::Tensor& states, const at::Tensor& head,
                         const at::Tensor& targets, double label_smoothing,
                         at::ScalarType compute_type);

}  // namespace sheaf
