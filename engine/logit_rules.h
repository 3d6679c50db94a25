// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/types/span.h"
#include "engine/request.h"
#include "engine/utf8_rule.h"

namespace sheaf {

// The logit of a token that must not be chosen.
inline constexpr float kForbidden = -std::numeric_limits<float>::infinity();

// The inputs of a choice, in addition to the logits.
struct TokenContext {
  const SamplingParams& sampling;
  absl::Span<const int32_t> eos_ids;
  absl::Span<const int32_t> tokens;         // so far, start token first
  int32_t segment_index;                    // draws differ between segments
  const Utf8Rule* utf8_rule = nullptr;      // null: all tokens are characters
  Utf8Rule::Controls source_controls = {};  // of Utf8Rule::ControlsOf()
  size_t num_start_tokens = 1;              // first ones of `tokens`
  // The token of each logit, in ascending order, with every end token. Empty:
  // logit i is that of token i.
  absl::Span<const int32_t> ids = {};

  // The index of a token's logit; -1 if the output cannot have the token.
  int32_t IndexOf(int32_t id) const {
    if (ids.empty()) return id;
    const auto found = std::lower_bound(ids.begin(), ids.end(), id);
    return found != ids.end() && *found == id
               ? static_cast<int32_t>(found - ids.begin())
               : -1;
  }
  int32_t IdAt(int32_t index) const { return ids.empty() ? index : ids[index]; }

  // Whether the rule restricts the output.
  bool has_utf8_rule() const {
    return utf8_rule != nullptr && sampling.output_text != OutputText::kRaw;
  }
};

// Memory of ApplyRules(), reused between calls.
struct RulesScratch {
  struct Edit {
    int32_t id;
    float logit;  // before the rules
  };
  std::vector<Edit> edits;  // in order; an id may occur several times
  std::vector<int32_t> distinct;
  std::vector<int32_t> allowed;       // tokens that continue a character
  std::vector<float> allowed_logits;  // of allowed
};

// Changes the logits, which are those of context.ids, by the request's rules,
// in the reference implementation's order: repetition penalty, no repeated
// n-gram, bad words, no EOS before min_new_tokens, suppressed tokens.
//
// The penalty applies once to each distinct token of `tokens`: with x = logit -
// log_z, to x * penalty if x < 0, else to x / penalty. `log_z` is 0 for a rule
// on logits (greedy, sampling), and the log of the sum of exponentials for one
// on log-probabilities (beams).
//
// Returns whether anything may have changed; scratch.edits has the changes.
bool ApplyRules(const TokenContext& context, float log_z,
                absl::Span<float> logits, RulesScratch& scratch);

// Forbids the tokens that context.utf8_rule forbids; called after ApplyRules().
// Within a character, all logits become kForbidden except those of the tokens
// that continue it, and scratch.edits gets the EOS ids only. REQUIRES:
// has_utf8_rule().
void ApplyUtf8Rule(const TokenContext& context, absl::Span<float> logits,
                   RulesScratch& scratch);

// Whether the same rule allows `id` next. Takes constant time.
bool Utf8RuleAllows(const TokenContext& context, int32_t id);

// The token that the rules force, even if they also forbid it; -1: none. If the
// first place is also the last one, the forced last token wins. The
// log-probability of a forced token counts as 0.
int32_t ForcedToken(const TokenContext& context);

}  // namespace sheaf
