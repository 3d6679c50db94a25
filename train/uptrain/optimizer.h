// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "ATen/ATen.h"
#include "train/uptrain/t5.h"

namespace sheaf {

struct OptimizerOptions {
  bool is_muon = false;
  double rate = 1e-3;
  double embedding_rate = 8;  // factor of rate
  double beta1 = 0.9;
  double beta2 = 0.98;
  double epsilon = 1e-8;
  double weight_decay = 0;  // of matrices only, decoupled (AdamW)
  double clip = 1;          // maximum norm of the gradient
  // Type of Muon's products. kBFloat16 is slow and imprecise on processors that
  // have no such products.
  at::ScalarType products = at::kFloat;
};

// AdamW over a model's flat weights (Loshchilov and Hutter 2019), and an
// average of the weights. With is_muon, matrices take Muon's steps instead
// (Jordan et al. 2024): the momentum with all its singular values near 1, times
// 0.2 sqrt(longer side). This makes its entries as large as AdamW's (Liu et al.
// 2025), so that both use one rate.
class Optimizer {
 public:
  explicit Optimizer(const T5& model);

  // Makes one step along model.gradients() * gradient_scale and clears the
  // gradients. `step` counts from 1.
  void Step(T5& model, const OptimizerOptions& options, int64_t step,
            double gradient_scale, double ema);

  at::Tensor first, second;  // [n]: moments
  at::Tensor average;        // [n]: exponential average of the weights
};

}  // namespace sheaf
