// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "engine/kernels/kernels.h"
#include "engine/logit_rules.h"
#include "engine/sampling.h"
#include "engine/top_tokens.h"

namespace sheaf {

// A token that may follow a sequence, and its log-probability.
struct ChosenToken {
  int32_t id;
  float logprob;
};

// Memory for choosing tokens, reused between calls.
struct DecodingScratch {
  RulesScratch rules;
  TopTokensScratch top;
  SamplingScratch sampling;
};

// Chooses the next token. First the rules change the logits (logit_rules.h,
// utf8_rule.h). Then temperature 0 takes the maximum (the lowest id among
// equals); otherwise a token is drawn (sampling.h). The log-probability is that
// of the model: log softmax of the logits before the rules, or 0 for a forced
// token.
//
// If the rules forbid every token, the first of `eos_ids` is chosen.
//
// `logits` are those of context.ids, of all tokens if it is empty. Softmax is
// over them. They are changed. Thread-safe for distinct arguments.
ChosenToken ChooseToken(const TokenContext& context,
                        const kernels::Kernels& kernels,
                        absl::Span<float> logits, DecodingScratch& scratch);

// Finds the out.size() best tokens that may follow a beam, best first, the
// lower id first among equals. Returns their number, which is lower if the
// rules forbid the others.
//
// As in the reference, the rules of beams change log softmax of the logits, and
// the result is the log-probability. It is normalized again only if the request
// is_renormalized. If the rules forbid every token, the first of `eos_ids` is
// the only one, with the log-probability of the model.
//
// In addition, sets the log-probability of each token of `wanted`; -infinity if
// the rules forbid it.
//
// `logits` as in ChooseToken(). Thread-safe for distinct arguments.
int32_t RankTokens(const TokenContext& context, const kernels::Kernels& kernels,
                   absl::Span<float> logits, DecodingScratch& scratch,
                   absl::Span<ChosenToken> out,
                   absl::Span<ChosenToken> wanted = {});

}  // namespace sheaf
