// SPDX-License-Identifier: Apache-2.0

#include "engine/decoding.h"

#include <cmath>

namespace sheaf {
namespace {

// The log of the sum of the logits' exponentials: log softmax of x is x - this.
float LogSum(const kernels::MaxAndSum& scan) {
  return scan.max + std::log(scan.sum_exp);
}

// The logit as the model gave it, which the first edit recorded. REQUIRES: the
// output can have the token.
float LogitBeforeRules(const TokenContext& context, int32_t id,
                       absl::Span<const float> logits,
                       const RulesScratch& rules) {
  for (const RulesScratch::Edit& edit : rules.edits) {
    if (edit.id == id) return edit.logit;
  }
  return logits[context.IndexOf(id)];
}

}  // namespace

ChosenToken ChooseToken(const TokenContext& context,
                        const kernels::Kernels& kernels,
                        absl::Span<float> logits, DecodingScratch& scratch) {
  const int32_t forced = ForcedToken(context);
  if (forced >= 0) return {forced, 0.0f};
  const kernels::MaxAndSum model =
      kernels.max_and_sum(logits.data(), static_cast<int32_t>(logits.size()));
  const bool is_sampling = context.sampling.temperature > 0;
  // The index of the maximum logit, or -1 if the rules forbid every token.
  int32_t best = model.argmax;
  const auto find_greatest = [&] {
    const absl::Span<const int32_t> top =
        TopTokens(kernels, logits, /*k=*/1, scratch.top);
    best = top.empty() ? -1 : top.front();
  };
  if (ApplyRules(context, /*log_z=*/0.0f, logits, scratch.rules)) {
    find_greatest();
  }
  if (context.has_utf8_rule() && best >= 0) {
    // If the rule allows the best token, it remains the best.
    const bool is_allowed = Utf8RuleAllows(context, context.IdAt(best));
    if (!is_allowed || is_sampling) {
      ApplyUtf8Rule(context, logits, scratch.rules);
    }
    if (!is_allowed) find_greatest();
  }
  if (best >= 0 && is_sampling) {
    best = SampleToken(context, kernels, logits, best, scratch.sampling);
  }
  const int32_t id = best < 0 ? context.eos_ids.front() : context.IdAt(best);
  return {id,
          LogitBeforeRules(context, id, logits, scratch.rules) - LogSum(model)};
}

int32_t RankTokens(const TokenContext& context, const kernels::Kernels& kernels,
                   absl::Span<float> logits, DecodingScratch& scratch,
                   absl::Span<ChosenToken> out,
                   absl::Span<ChosenToken> wanted) {
  for (ChosenToken& each : wanted) each.logprob = kForbidden;
  const int32_t forced = ForcedToken(context);
  if (forced >= 0) {
    out.front() = {forced, 0.0f};
    return 1;
  }
  const int32_t num_logits = static_cast<int32_t>(logits.size());
  const float log_z = LogSum(kernels.max_and_sum(logits.data(), num_logits));
  bool has_edits = ApplyRules(context, log_z, logits, scratch.rules);
  if (context.has_utf8_rule()) {
    ApplyUtf8Rule(context, logits, scratch.rules);
    has_edits = true;
  }
  const float log_z_left =
      has_edits && context.sampling.is_renormalized
          ? LogSum(kernels.max_and_sum(logits.data(), num_logits))
          : log_z;
  for (ChosenToken& each : wanted) {
    const int32_t index = context.IndexOf(each.id);
    if (index >= 0) each.logprob = logits[index] - log_z_left;
  }
  int32_t num = 0;
  for (int32_t index : TopTokens(
           kernels, logits, static_cast<int32_t>(out.size()), scratch.top)) {
    out[num++] = {context.IdAt(index), logits[index] - log_z_left};
  }
  if (num > 0) return num;
  const int32_t eos = context.eos_ids.front();
  out.front() = {eos,
                 LogitBeforeRules(context, eos, logits, scratch.rules) - log_z};
  return 1;
}

}  // namespace sheaf
