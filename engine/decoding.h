#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "engine/kernels/kernels.h"
#include "engine/logit_rules.h"
#include "engine/sampling.h"
#include "engine/top_tokens.h"

namespace sheaf {

// A token that may go on a sequence, and its log-probability.
struct ChosenToken {
  int32_t id;
  float logprob;
};

// Memory for choosing tokens, reused from call to call.
struct DecodingScratch {
  RulesScratch rules;
  TopTokensScratch top;
  SamplingScratch sampling;
};

// Chooses the next token. First the rules change the logits (logit_rules.h,
// utf8_rule.h).
// Then temperature 0 takes the greatest (the lowest id among equals); else a
// token is drawn (sampling.h). The log-probability is the model's: log softmax
// of the logits as they were before the rules; that of a forced token is 0.
//
// If the rules forbid every token, the first of `eos_ids` is chosen.
//
// `logits` [vocab_size] is changed. Thread-safe for distinct arguments.
ChosenToken ChooseToken(const TokenContext& context,
                        const kernels::Kernels& kernels,
                        absl::Span<float> logits, DecodingScratch& scratch);

// What may follow a beam: the out.size() best tokens, best first, the lower id
// first among equals; returns how many, fewer if the rules forbid the rest. As
// the reference does for beams, the rules work on log softmax of the logits,
// and their result is the log-probability, which is normalized again only if
// the request is_renormalized. If the rules forbid every token, the first of
// `eos_ids` is the only one, with the model's log-probability.
//
// `logits` [vocab_size] is changed. Thread-safe for distinct arguments.
int32_t RankTokens(const TokenContext& context, const kernels::Kernels& kernels,
                   absl::Span<float> logits, DecodingScratch& scratch,
                   absl::Span<ChosenToken> out);

}  // namespace sheaf
