#include "train/uptrain/optimizer.h"

#include <algorithm>
#include <cmath>

namespace sheaf {

AdamW::AdamW(const T5& model)
    : first(at::zeros_like(model.weights())),
      second(at::zeros_like(model.weights())),
      average(model.weights().clone()) {}

void AdamW::Step(T5& model, const AdamOptions& options, int64_t step,
                 double gradient_scale, double ema) {
  const c10::NoGradGuard no_grad;
  at::Tensor gradients = model.gradients();
  gradients.mul_(gradient_scale);
  // Clipped without asking for the norm, which would wait for the device.
  const at::Tensor norm = gradients.norm();
  gradients.mul_((options.clip / (norm + 1e-6)).clamp_max(1));
  first.mul_(options.beta1).add_(gradients, 1 - options.beta1);
  second.mul_(options.beta2).addcmul_(gradients, gradients, 1 - options.beta2);
  const double n = static_cast<double>(step);
  const double first_scale = 1 / (1 - std::pow(options.beta1, n));
  const double second_scale = 1 / (1 - std::pow(options.beta2, n));
  const at::Tensor update =
      (first * first_scale) /
      ((second * second_scale).sqrt_().add_(options.epsilon));
  int64_t at = 0;
  for (const WeightPart part :
       {WeightPart::kEmbedding, WeightPart::kMatrices, WeightPart::kVectors}) {
    const int64_t size = model.size_of(part);
    at::Tensor weights = model.weights().narrow(0, at, size);
    const double rate =
        options.rate *
        (part == WeightPart::kEmbedding ? options.embedding_rate : 1);
    if (part == WeightPart::kMatrices && options.weight_decay > 0) {
      weights.mul_(1 - rate * options.weight_decay);
    }
    weights.add_(update.narrow(0, at, size), -rate);
    at += size;
  }
  // Young averages forget faster: the first weights are random.
  const double keep = std::min(ema, n / (n + 10));
  average.mul_(keep).add_(model.weights(), 1 - keep);
  gradients.zero_();
}

}  // namespace sheaf
