// SPDX-License-Identifier: Apache-2.0

#include "train/uptrain/head_loss.h"

#include <algorithm>

#include "torch/csrc/autograd/custom_function.h"

namespace sheaf {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// The number of logits computed together.
constexpr int64_t kCpuLogits = int64_t{1} << 21;
constexpr int64_t kDeviceLogits = int64_t{1} << 27;

// Outputs: cross-entropy, training loss.
class HeadLossFunction : public torch::autograd::Function<HeadLossFunction> {
 public:
  static tensor_list forward(AutogradContext* context, at::Tensor states,
                             at::Tensor head, at::Tensor targets,
                             double label_smoothing, int64_t compute_type,
                             bool has_gradient) {
    const auto type = static_cast<at::ScalarType>(compute_type);
    const at::Tensor narrow_head = head.to(type);
    const int64_t n = states.size(0), vocab_size = head.size(0);
    const int64_t limit = states.is_cuda() ? kDeviceLogits : kCpuLogits;
    const int64_t rows = std::max<int64_t>(limit / vocab_size, 1);
    at::Tensor cross_entropy = at::zeros({}, states.options());
    at::Tensor uniform = at::zeros({}, states.options());
    at::Tensor states_gradient, head_gradient;
    if (has_gradient) {
      states_gradient = at::empty_like(states);
      head_gradient = at::zeros_like(head);
    }
    for (int64_t at = 0; at < n; at += rows) {
      const int64_t size = std::min(rows, n - at);
      const at::Tensor some = states.narrow(0, at, size).to(type);
      const at::Tensor truth = targets.narrow(0, at, size).unsqueeze(1);
      at::Tensor log_probs =
          at::log_softmax(at::linear(some, narrow_head), -1, at::kFloat);
      cross_entropy -= log_probs.gather(1, truth).sum();
      if (label_smoothing > 0) uniform -= log_probs.mean(-1).sum();
      if (!has_gradient) continue;
      // The gradient of the logits: the model's probabilities minus the
      // smoothed truth.
      at::Tensor gradient = log_probs.exp_();
      if (label_smoothing > 0) {
        gradient.sub_(label_smoothing / static_cast<double>(vocab_size));
      }
      gradient.scatter_add_(
          1, truth,
          at::full({size, 1}, label_smoothing - 1, gradient.options()));
      const at::Tensor narrow = gradient.to(type);
      states_gradient.narrow(0, at, size).copy_(at::mm(narrow, narrow_head));
      head_gradient.add_(at::mm(narrow.t(), some));
    }
    if (has_gradient) {
      context->save_for_backward({states_gradient, head_gradient});
    }
    context->mark_non_differentiable({cross_entropy});
    return {cross_entropy,
            cross_entropy * (1 - label_smoothing) + uniform * label_smoothing};
  }

  static tensor_list backward(AutogradContext* context, tensor_list gradients) {
    const tensor_list saved = context->get_saved_variables();
    return {saved[0] * gradients[1], saved[1] * gradients[1], {}, {}, {}, {}};
  }
};

}  // namespace

HeadLoss ComputeHeadLoss(const at::Tensor& states, const at::Tensor& head,
                         const at::Tensor& targets, double label_smoothing,
                         at::ScalarType compute_type) {
  const tensor_list losses = HeadLossFunction::apply(
      states, head, targets, label_smoothing,
      static_cast<int64_t>(compute_type), c10::GradMode::is_enabled());
  return {losses[0], losses[1]};
}

}  // namespace sheaf
