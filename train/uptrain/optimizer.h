#pragma once

#include <cstdint>

#include "ATen/ATen.h"
#include "train/uptrain/t5.h"

namespace sheaf {

struct OptimizerOptions {
  bool is_muon = false;
  double rate = 1e-3;
  double embedding_rate = 8;  // times rate
  double beta1 = 0.9;
  double beta2 = 0.98;
  double epsilon = 1e-8;
  double weight_decay = 0;  // of matrices alone, decoupled (AdamW)
  double clip = 1;          // longest gradient
  // Of Muon's products; kBFloat16 is slow and imprecise on processors without
  // products of it.
  at::ScalarType products = at::kFloat;
};

// AdamW over a model's flat weights (Loshchilov and Hutter 2019), with an
// average of the weights beside them. With is_muon, matrices take Muon's steps
// instead (Jordan et al. 2024): the momentum with all its singular values
// brought near 1, at 0.2 sqrt(longer side), which makes its entries as large as
// AdamW's (Liu et al. 2025), so that one rate serves both.
class Optimizer {
 public:
  explicit Optimizer(const T5& model);

  // One step along model.gradients() * gradient_scale, which it clears.
  // `step` counts from 1.
  void Step(T5& model, const OptimizerOptions& options, int64_t step,
            double gradient_scale, double ema);

  at::Tensor first, second;  // [n]: moments
  at::Tensor average;        // [n]: of the weights, exponential
};

}  // namespace sheaf
