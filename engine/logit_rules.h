#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "absl/types/span.h"
#include "engine/request.h"
#include "engine/utf8_rule.h"

namespace sheaf {

// The logit of a token that must not be chosen.
inline constexpr float kForbidden = -std::numeric_limits<float>::infinity();

// What a choice depends on beside the logits.
struct TokenContext {
  const SamplingParams& sampling;
  absl::Span<const int32_t> eos_ids;
  absl::Span<const int32_t> tokens;         // so far, start token first
  int32_t segment_index;                    // sampling differs between segments
  const Utf8Rule* utf8_rule = nullptr;      // null: all tokens are characters
  Utf8Rule::Controls source_controls = {};  // as the rule finds them
  size_t num_start_tokens = 1;              // first ones of `tokens`

  // Whether the rule restricts the output.
  bool has_utf8_rule() const {
    return utf8_rule != nullptr && sampling.output_text != OutputText::kRaw;
  }
};

// Memory of ApplyRules(), reused from call to call.
struct RulesScratch {
  struct Edit {
    int32_t id;
    float logit;  // before the rules
  };
  std::vector<Edit> edits;  // in order; an id may come again
  std::vector<int32_t> distinct;
  std::vector<int32_t> allowed;       // ids within a character
  std::vector<float> allowed_logits;  // beside them
};

// Changes the logits [vocab_size] by the request's rules, in the reference
// implementation's order: repetition penalty, no repeated n-gram, bad words, no
// EOS before min_new_tokens, suppressed tokens.
//
// The penalty applies once to each distinct token of `tokens`: with x = logit -
// log_z, to x * penalty if x < 0, else to x / penalty. `log_z` is 0 for a rule
// on logits (greedy, sampling), and the log of the sum of exponentials for one
// on log-probabilities (beams).
//
// Returns whether anything may have changed; scratch.edits says what.
bool ApplyRules(const TokenContext& context, float log_z,
                absl::Span<float> logits, RulesScratch& scratch);

// Forbids what context.utf8_rule does, after ApplyRules(). Within a character
// all logits but those of the tokens that continue it become kForbidden, and
// scratch.edits has the EOS ids alone of these. REQUIRES: has_utf8_rule().
void ApplyUtf8Rule(const TokenContext& context, absl::Span<float> logits,
                   RulesScratch& scratch);

// Whether the same rule lets `id` follow. Takes constant time.
bool Utf8RuleAllows(const TokenContext& context, int32_t id);

// The token that the rules force, whatever else they forbid; -1: none. At the
// last place a forced last token comes before a forced first one. The
// log-probability of a forced token counts as 0.
int32_t ForcedToken(const TokenContext& context);

}  // namespace sheaf
