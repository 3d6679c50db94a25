// SPDX-License-Identifier: Apache-2.0

#include "engine/logit_rules.h"

#include <algorithm>

#include "engine/hypotheses.h"

namespace sheaf {
namespace {

// Changes the logit at `index` of `logits`.
void Set(const TokenContext& context, int32_t index, float logit,
         absl::Span<float> logits, RulesScratch& scratch) {
  scratch.edits.push_back({context.IdAt(index), logits[index]});
  logits[index] = logit;
}

// Forbids the token `id`, if the output can have it.
void Forbid(const TokenContext& context, int32_t id, absl::Span<float> logits,
            RulesScratch& scratch) {
  const int32_t index = context.IndexOf(id);
  if (index >= 0) Set(context, index, kForbidden, logits, scratch);
}

void PenalizeRepetition(const TokenContext& context, float log_z,
                        absl::Span<float> logits, RulesScratch& scratch) {
  const float penalty = context.sampling.repetition_penalty;
  std::vector<int32_t>& distinct = scratch.distinct;
  distinct.assign(context.tokens.begin(), context.tokens.end());
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  for (int32_t id : distinct) {
    const int32_t index = context.IndexOf(id);
    if (index < 0) continue;
    const float x = logits[index] - log_z;
    Set(context, index, (x < 0 ? x * penalty : x / penalty) + log_z, logits,
        scratch);
  }
}

// Forbids every token that would complete an n-gram that `tokens` already
// contains.
void ForbidRepeatedNgrams(const TokenContext& context, absl::Span<float> logits,
                          RulesScratch& scratch) {
  const absl::Span<const int32_t> tokens = context.tokens;
  const int32_t n = context.sampling.no_repeat_ngram_size;
  if (static_cast<int32_t>(tokens.size()) < n) return;
  const absl::Span<const int32_t> tail = tokens.last(n - 1);
  for (size_t begin = 0; begin + n <= tokens.size(); ++begin) {
    if (std::equal(tail.begin(), tail.end(), tokens.begin() + begin)) {
      Forbid(context, tokens[begin + n - 1], logits, scratch);
    }
  }
}

Utf8Rule::Context PlaceOf(const TokenContext& context) {
  return {context.sampling, context.source_controls, context.tokens};
}

// Forbids every token that would complete one of `bad_words`.
void ForbidBadWords(const TokenContext& context,
                    const std::vector<std::vector<int32_t>>& bad_words,
                    absl::Span<float> logits, RulesScratch& scratch) {
  const absl::Span<const int32_t> tokens = context.tokens;
  for (const std::vector<int32_t>& word : bad_words) {
    const size_t num_before = word.size() - 1;
    if (num_before == 0 && IsEos(word.front(), context.eos_ids)) continue;
    if (num_before > tokens.size()) continue;
    if (std::equal(word.begin(), word.end() - 1, tokens.end() - num_before)) {
      Forbid(context, word.back(), logits, scratch);
    }
  }
}

// The number of tokens before the first one that nothing forces.
size_t FirstFreePlace(const TokenContext& context) {
  if (context.num_start_tokens > 1) return context.num_start_tokens;
  return context.sampling.forced_first_token >= 0 ? 2 : 1;
}

}  // namespace

bool ApplyRules(const TokenContext& context, float log_z,
                absl::Span<float> logits, RulesScratch& scratch) {
  const SamplingParams& sampling = context.sampling;
  scratch.edits.clear();
  if (sampling.repetition_penalty != 1.0f) {
    PenalizeRepetition(context, log_z, logits, scratch);
  }
  if (sampling.no_repeat_ngram_size > 0) {
    ForbidRepeatedNgrams(context, logits, scratch);
  }
  if (sampling.bad_words != nullptr) {
    ForbidBadWords(context, *sampling.bad_words, logits, scratch);
  }
  if (static_cast<int32_t>(context.tokens.size()) <= sampling.min_new_tokens) {
    for (int32_t id : context.eos_ids) Forbid(context, id, logits, scratch);
  }
  for (int32_t id : sampling.suppressed_tokens) {
    Forbid(context, id, logits, scratch);
  }
  if (!sampling.first_suppressed_tokens.empty() &&
      context.tokens.size() == FirstFreePlace(context)) {
    for (int32_t id : sampling.first_suppressed_tokens) {
      Forbid(context, id, logits, scratch);
    }
  }
  return !scratch.edits.empty();
}

void ApplyUtf8Rule(const TokenContext& context, absl::Span<float> logits,
                   RulesScratch& scratch) {
  const Utf8Rule& rule = *context.utf8_rule;
  const Utf8Rule::Context place = PlaceOf(context);
  if (!rule.AllowedWithin(place, scratch.allowed)) {
    rule.ForEachForbidden(
        place, [&](int32_t id) { Forbid(context, id, logits, scratch); });
    return;
  }
  std::vector<int32_t>& allowed = scratch.allowed;
  for (int32_t& id : allowed) id = context.IndexOf(id);
  allowed.erase(std::remove(allowed.begin(), allowed.end(), -1), allowed.end());
  scratch.allowed_logits.clear();
  for (int32_t index : allowed) scratch.allowed_logits.push_back(logits[index]);
  for (int32_t id : context.eos_ids) Forbid(context, id, logits, scratch);
  std::fill(logits.begin(), logits.end(), kForbidden);
  for (size_t i = 0; i < allowed.size(); ++i) {
    logits[allowed[i]] = scratch.allowed_logits[i];
  }
}

bool Utf8RuleAllows(const TokenContext& context, int32_t id) {
  return context.utf8_rule->Allows(PlaceOf(context), id);
}

int32_t ForcedToken(const TokenContext& context) {
  const SamplingParams& sampling = context.sampling;
  const int32_t num_tokens = static_cast<int32_t>(context.tokens.size());
  if (num_tokens == sampling.max_new_tokens &&
      sampling.forced_last_token >= 0) {
    return sampling.forced_last_token;
  }
  return num_tokens == 1 ? sampling.forced_first_token : -1;
}

}  // namespace sheaf
