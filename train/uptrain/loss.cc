// SPDX-License-Identifier: Apache-2.0

#include <algorithm>

#include "train/uptrain/head_loss.h"
#include "train/uptrain/t5.h"

namespace sheaf {
namespace {

constexpr double kMinAttention = 1e-6;  // bounds its logarithm

// Returns minus the logarithm of the attention [B, T, S] of one head to the
// places [B, T], summed over the known places.
at::Tensor PlaceLoss(const at::Tensor& attention, const at::Tensor& places) {
  const at::Tensor given =
      attention.gather(2, places.clamp_min(0).unsqueeze(2)).squeeze(2);
  return -(at::log(given + kMinAttention) * places.ge(0)).sum();
}

at::Tensor GuideLoss(const std::vector<at::Tensor>& attention,
                     const Batch& batch) {
  at::Tensor sum = at::zeros({}, attention[0].options());
  for (size_t layer = 0; layer < attention.size(); ++layer) {
    // Heads of different groups, if there are several.
    for (const int64_t head : {int64_t{0}, attention[layer].size(1) / 2}) {
      sum =
          sum + PlaceLoss(attention[layer].select(1, head),
                          layer == 0 ? batch.input_place : batch.target_place);
    }
  }
  const double num_heads = 2 * static_cast<double>(attention.size());
  return sum / num_heads;
}

}  // namespace

Loss ComputeLoss(const T5& model, const Batch& batch,
                 const ForwardOptions& forward, const LossOptions& options) {
  const at::Tensor encoded =
      model.Encode(batch.source, batch.source_mask, forward);
  std::vector<at::Tensor> attention;
  const bool is_guided = options.guide_weight > 0;
  const at::Tensor states =
      model.DecodeStates(batch.input, encoded, batch.source_mask, forward,
                         is_guided ? &attention : nullptr);
  const HeadLoss head = ComputeHeadLoss(
      states.flatten(0, 1).index_select(0, batch.target_rows), model.Head(),
      batch.targets, options.label_smoothing, forward.compute_type);
  Loss loss{head.cross_entropy, head.training};
  if (is_guided) {
    loss.training =
        loss.training + GuideLoss(attention, batch) * options.guide_weight;
  }
  return loss;
}

std::vector<std::vector<int32_t>> GreedyDecode(const T5& model,
                                               const at::Tensor& source,
                                               const at::Tensor& source_mask,
                                               int64_t max_tokens,
                                               const ForwardOptions& options) {
  const c10::NoGradGuard no_grad;
  const int64_t B = source.size(0);
  const at::Tensor encoded = model.Encode(source, source_mask, options);
  at::Tensor ids = at::full({B, 1}, model.config().start_id,
                            source.options().dtype(at::kLong));
  at::Tensor has_ended = at::zeros({B}, source.options().dtype(at::kBool));
  // Every step decodes the whole prefix, which needs no cache.
  for (int64_t step = 0; step < max_tokens; ++step) {
    const at::Tensor logits =
        model.Decode(ids, encoded, source_mask, options).select(1, step);
    const at::Tensor next = logits.argmax(-1);
    ids = at::cat({ids, next.unsqueeze(1)}, 1);
    has_ended = has_ended.logical_or(next.eq(model.config().eos_id));
    if (has_ended.all().item<bool>()) break;
  }
  const at::Tensor host = ids.to(at::kCPU).contiguous();
  std::vector<std::vector<int32_t>> result(B);
  for (int64_t i = 0; i < B; ++i) {
    const int64_t* row = host.data_ptr<int64_t>() + i * host.size(1);
    for (int64_t t = 1; t < host.size(1); ++t) {
      if (row[t] == model.config().eos_id) break;
      result[i].push_back(static_cast<int32_t>(row[t]));
    }
  }
  return result;
}

}  // namespace sheaf
