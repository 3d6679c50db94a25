// SPDX-License-Identifier: Apache-2.0

#include "train/uptrain/optimizer.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "ATen/Parallel.h"
#include "train/uptrain/on_threads.h"

namespace sheaf {
namespace {

// The number of weights per block of AdamW's update, which fits in a cache.
constexpr int64_t kCpuSlice = int64_t{1} << 16;

constexpr double kMuonMomentum = 0.95;
constexpr double kMuonSize = 0.2;  // root mean square of the entries of a step

// Approximates U V^T of the singular value decomposition of `x` by five
// Newton-Schulz iterations, with the coefficients of Jordan et al. (2024),
// which leave the singular values between 0.7 and 1.2.
at::Tensor Orthogonal(const at::Tensor& x, at::ScalarType products) {
  const bool is_tall = x.size(0) > x.size(1);
  at::Tensor y = is_tall ? x.t() : x;
  y = (y / (y.norm() + 1e-7)).to(products);
  for (int round = 0; round < 5; ++round) {
    const at::Tensor square = at::mm(y, y.t());
    const at::Tensor odd =
        at::addmm(square, square, square, /*beta=*/-4.7750, /*alpha=*/2.0315);
    y = at::addmm(y, odd, y, /*beta=*/3.4445, /*alpha=*/1);
  }
  return is_tall ? y.t() : y;
}

}  // namespace

Optimizer::Optimizer(const T5& model)
    : first(at::zeros_like(model.weights())),
      second(at::zeros_like(model.weights())),
      average(model.weights().clone()) {}

void Optimizer::Step(T5& model, const OptimizerOptions& options, int64_t step,
                     double gradient_scale, double ema) {
  const c10::NoGradGuard no_grad;
  const at::Tensor gradients = model.gradients();
  const bool is_cpu = gradients.device().is_cpu();
  // Clips without reading the norm, which would wait for the device.
  const at::Tensor norm = gradients.norm() * gradient_scale;
  const at::Tensor scale =
      (options.clip / (norm + 1e-6)).clamp_max(1) * gradient_scale;
  const double n = static_cast<double>(step);
  const double first_scale = 1 / (1 - std::pow(options.beta1, n));
  const double second_scale = 1 / (1 - std::pow(options.beta2, n));
  const auto step_matrix = [&](int64_t place,
                               const std::vector<int64_t>& shape) {
    const int64_t size = shape[0] * shape[1];
    const at::Tensor gradient = gradients.narrow(0, place, size).mul_(scale);
    at::Tensor m = first.narrow(0, place, size);
    m.mul_(kMuonMomentum).add_(gradient);
    const at::Tensor direction = Orthogonal(
        gradient.add(m, kMuonMomentum).view(shape), options.products);
    model.weights()
        .narrow(0, place, size)
        .add_(direction.reshape({size}),
              -options.rate * kMuonSize *
                  std::sqrt(double(std::max(shape[0], shape[1]))));
  };
  const auto step_slice = [&](int64_t place, int64_t size, double rate) {
    const at::Tensor gradient = gradients.narrow(0, place, size).mul_(scale);
    at::Tensor m = first.narrow(0, place, size);
    at::Tensor v = second.narrow(0, place, size);
    m.mul_(options.beta1).add_(gradient, 1 - options.beta1);
    v.mul_(options.beta2).addcmul_(gradient, gradient, 1 - options.beta2);
    model.weights()
        .narrow(0, place, size)
        .addcdiv_(m, (v * second_scale).sqrt_().add_(options.epsilon),
                  -rate * first_scale);
  };
  std::vector<std::function<void()>> updates;
  int64_t part_at = 0;
  for (const WeightPart part :
       {WeightPart::kEmbedding, WeightPart::kMatrices, WeightPart::kVectors}) {
    const int64_t part_end = part_at + model.size_of(part);
    if (part == WeightPart::kMatrices && options.weight_decay != 0) {
      model.weights()
          .narrow(0, part_at, part_end - part_at)
          .mul_(1 - options.rate * options.weight_decay);
    }
    if (options.is_muon && part == WeightPart::kMatrices) {
      for (const auto& [place, shape] : model.matrices()) {
        updates.push_back([&step_matrix, place = place, shape = shape] {
          step_matrix(place, shape);
        });
      }
    } else {
      const double rate =
          options.rate *
          (part == WeightPart::kEmbedding ? options.embedding_rate : 1);
      const int64_t slice = is_cpu ? kCpuSlice : part_end;
      for (int64_t at = part_at; at < part_end; at += slice) {
        const int64_t size = std::min(slice, part_end - at);
        updates.push_back(
            [&step_slice, at, size, rate] { step_slice(at, size, rate); });
      }
    }
    part_at = part_end;
  }
  // An update has the same bits on every thread.
  TakeInTurn(is_cpu ? at::get_num_threads() : 1, updates.size(),
             [&](int, size_t i) {
               const c10::NoGradGuard no_grad_there;
               updates[i]();
             });
  // A young average decays faster, because the first weights are random.
  const double keep = std::min(ema, n / (n + 10));
  average.mul_(keep).add_(model.weights(), 1 - keep);
  model.gradients().zero_();
}

}  // namespace sheaf
