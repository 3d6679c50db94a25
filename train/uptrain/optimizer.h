#pragma once

#include <cstdint>

#include "ATen/ATen.h"
#include "train/uptrain/t5.h"

namespace sheaf {

struct AdamOptions {
  double rate = 1e-3;
  double embedding_rate = 8;  // times rate
  double beta1 = 0.9;
  double beta2 = 0.98;
  double epsilon = 1e-8;
  double weight_decay = 0;  // of matrices alone, decoupled (AdamW)
  double clip = 1;          // longest gradient
};

// AdamW over a model's flat weights (Loshchilov and Hutter 2019), with an
// average of the weights beside them.
class AdamW {
 public:
  explicit AdamW(const T5& model);

  // One step along model.gradients() * gradient_scale, which it clears.
  // `step` counts from 1.
  void Step(T5& model, const AdamOptions& options, int64_t step,
            double gradient_scale, double ema);

  at::Tensor first, second;  // [n]: moments
  at::Tensor average;        // [n]: of the weights, exponential
};

}  // namespace sheaf
