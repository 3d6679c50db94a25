#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/kernels/kernels.h"
#include "engine/request.h"

namespace sheaf {

// The token that goes on a sequence, and its log-probability under the model:
// log softmax of the logits as the model gave them.
struct ChosenToken {
  int32_t id;
  float logprob;
};

// Memory for choosing tokens, reused from call to call; sampling grows it to
// the vocabulary's size.
struct DecodingScratch {
  struct Edit {
    int32_t id;
    float logit;  // before the rules
  };
  std::vector<Edit> edits;          // latest last
  std::vector<int32_t> candidates;  // token ids
};

// What a choice depends on beside the logits.
struct TokenContext {
  const SamplingParams& sampling;
  absl::Span<const int32_t> eos_ids;
  absl::Span<const int32_t> tokens;  // so far, start token first
  int32_t segment_index;             // sampling differs between segments
};

// Chooses the next token. First the rules change the logits, in the reference
// implementation's order: repetition penalty (each distinct token of `tokens`
// once: a negative logit times the penalty, another divided by it), no repeated
// n-gram, suppressed tokens, no EOS before min_new_tokens. Then temperature 0
// takes the greatest (the lowest id among equals); else a token is drawn from
// softmax(logits / temperature) cut to the top_k best and then to the smallest
// set that has probability top_p. The draw depends on (seed, segment_index,
// number of tokens) alone: the same seed gives the same text in any batch.
//
// If the rules forbid every token, the first of `eos_ids` is chosen.
//
// `logits` [vocab_size] is changed. Thread-safe for distinct arguments.
ChosenToken ChooseToken(const TokenContext& context,
                        const kernels::Kernels& kernels,
                        absl::Span<float> logits, DecodingScratch& scratch);

}  // namespace sheaf
