// SPDX-License-Identifier: Apache-2.0

#include "server/repair/segment_repair.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "base/check.h"
#include "server/repair/render.h"

namespace sheaf {
namespace {

// Judges the translation of a segment without a plan.
std::vector<SegmentWarning> JudgePlain(const RepairPlan& plan, TextRange source,
                                       const Hypothesis& translation,
                                       absl::string_view text) {
  return JudgeSegment(
      {.source = Slice(plan.text, source),
       .target = text,
       .source_language = plan.source_language,
       .target_language = plan.target_language,
       .is_cut = translation.finish_reason == FinishReason::kLength});
}

}  // namespace

SegmentRepair::SegmentRepair(const RepairPlan& plan, const SegmentPlan& segment)
    : plan_(plan),
      segment_(segment),
      trial_(*MakeTrial(plan, segment, Method::kAsIs)) {}

std::vector<RepairDecode> SegmentRepair::Take(
    int32_t decode, const std::vector<Hypothesis>& hypotheses) {
  num_output_tokens_ += static_cast<int32_t>(hypotheses.front().tokens.size());
  trial_.parts[decode - first_decode_].hypotheses = hypotheses;
  if (--num_left_ > 0) return {};
  Judge();
  return Next();
}

// Reads the candidates of the round.
void SegmentRepair::Judge() {
  tried_.push_back(trial_.method);
  std::vector<Candidate> candidates = ReadCandidates(plan_, segment_, trial_);
  if (!best_.has_value()) {
    had_other_numbers_ = candidates.front().Has(SegmentWarning::kNumber);
    was_suspicious_ = candidates.front().is_suspicious();
    // The best hypothesis that keeps what must survive.
    const auto keeps =
        std::find_if(candidates.begin(), candidates.end(),
                     [](const Candidate& each) { return each.is_whole(); });
    best_ = keeps == candidates.end() ? candidates.front() : *keeps;
    if (plan_.num_hypotheses > 1) alternatives_ = std::move(candidates);
  } else if (IsBetter(candidates.front(), *best_)) {
    best_ = std::move(candidates.front());
  }
}

bool SegmentRepair::WasTried(Method method) const {
  return std::find(tried_.begin(), tried_.end(), method) != tried_.end();
}

std::optional<Method> SegmentRepair::NextMethod() const {
  if (!plan_.may_repair || num_rounds_ == kMaxRounds || best_->is_stopped()) {
    return std::nullopt;
  }
  const std::pair<Method, bool> methods[] = {
      {Method::kSentenceCase, segment_.capitals != Capitals::kNone},
      {Method::kStandIns, !best_->is_whole() || best_->is_put_back},
      {Method::kOtherStandIns, !best_->is_whole()},
      {Method::kCut, !best_->is_whole()},
      {Method::kTerms, best_->num_missing_terms > 0},
      {Method::kTermsAndStandIns, best_->num_missing_terms > 0},
      {Method::kOtherSearch,
       best_->is_suspicious() || best_->Has(SegmentWarning::kNumber)},
      {Method::kHalves, best_->is_suspicious()}};
  for (const auto& [method, is_needed] : methods) {
    if (is_needed && !WasTried(method)) return method;
  }
  return std::nullopt;
}

// Begins the next round, if any.
std::vector<RepairDecode> SegmentRepair::Next() {
  while (const std::optional<Method> method = NextMethod()) {
    std::optional<Trial> trial = MakeTrial(plan_, segment_, *method);
    if (!trial.has_value()) {
      tried_.push_back(*method);
      continue;
    }
    ++num_rounds_;
    std::vector<RepairDecode> decodes = Begin(*std::move(trial));
    if (!decodes.empty()) return decodes;
    Judge();  // all is copied
  }
  is_final_ = true;
  return {};
}

std::vector<RepairDecode> SegmentRepair::Begin(Trial trial) {
  std::vector<RepairDecode> decodes;
  first_decode_ = num_decodes_;
  for (const TrialPart& part : trial.parts) {
    RepairDecode& decode = decodes.emplace_back();
    decode.number = num_decodes_++;
    decode.source = part.ids;
    decode.is_other_search = trial.method == Method::kOtherSearch;
    decode.constraints = trial.constraints;
    num_input_tokens_ += static_cast<int32_t>(part.ids.size());
  }
  num_left_ = static_cast<int32_t>(decodes.size());
  trial_ = std::move(trial);
  return decodes;
}

void SegmentRepair::GiveUp() {
  SHEAF_CHECK(best_.has_value());
  for (const TrialPart& part : trial_.parts) {
    if (!part.hypotheses.empty()) continue;
    --num_decodes_;
    num_input_tokens_ -= static_cast<int32_t>(part.ids.size());
  }
  is_final_ = true;
}

SegmentCheck SegmentRepair::SpanCheck() const {
  if (best_->Has(SegmentWarning::kProtectedSpan)) {
    return SegmentCheck::kSpansLost;
  }
  switch (best_->method) {
    case Method::kStandIns:
    case Method::kOtherStandIns:
    case Method::kTermsAndStandIns:
      return SegmentCheck::kSpansStandIns;
    case Method::kCut:
      return SegmentCheck::kSpansCut;
    default:
      return best_->is_put_back ? SegmentCheck::kSpansPutBack
                                : SegmentCheck::kSpansKept;
  }
}

SegmentCheck SegmentRepair::TermCheck() const {
  if (best_->num_missing_terms > 0) return SegmentCheck::kTermsMissing;
  return best_->is_constrained() ? SegmentCheck::kTermsConstrained
                                 : SegmentCheck::kTermsUsed;
}

void SegmentRepair::CountChecks(SegmentCheckCounts& checks) const {
  checks.num_decodes = num_decodes_ - 1;
  if (best_->is_stopped()) return;
  checks.num_flagged = best_->warnings.empty() ? 0 : 1;
  if (!segment_.spans.empty()) checks.Add(SpanCheck());
  if (best_->Has(SegmentWarning::kNumber)) {
    checks.Add(SegmentCheck::kNumbersFlagged);
  } else if (had_other_numbers_) {
    checks.Add(SegmentCheck::kNumbersRepaired);
  }
  if (best_->Has(SegmentWarning::kUnknownCharacter)) {
    checks.Add(SegmentCheck::kCharactersFlagged);
  } else if (!segment_.copied.empty()) {
    checks.Add(SegmentCheck::kCharactersCopied);
  }
  if (WasTried(Method::kSentenceCase)) {
    checks.Add(best_->method == Method::kSentenceCase
                   ? SegmentCheck::kCapitalsInSentence
                   : SegmentCheck::kCapitalsAsTheyAre);
  }
  if (!segment_.terms.empty()) checks.Add(TermCheck());
  if (best_->is_suspicious()) {
    checks.Add(SegmentCheck::kCoverageFlagged);
  } else if (was_suspicious_) {
    checks.Add(SegmentCheck::kCoverageRepaired);
  }
}

std::optional<HeldResult> ReadPlain(const RepairPlan& plan, TextRange source,
                                    const Hypothesis& translation) {
  if (plan.format != TextFormat::kPlain || plan.num_hypotheses > 1) {
    return std::nullopt;
  }
  HeldResult result;
  result.best.text = plan.target_tokenizer->Decode(translation.tokens);
  if (translation.finish_reason != FinishReason::kStopSequence &&
      !JudgePlain(plan, source, translation, result.best.text).empty()) {
    return std::nullopt;
  }
  result.best.tokens = translation.tokens;
  result.best.score = translation.score;
  result.best.finish_reason = translation.finish_reason;
  result.mean_logprob = translation.mean_logprob;
  result.num_output_tokens = static_cast<int32_t>(translation.tokens.size());
  return result;
}

SegmentCheckCounts CheckSent(const RepairPlan& plan, TextRange source,
                             const Hypothesis& translation) {
  SegmentCheckCounts checks;
  if (translation.finish_reason == FinishReason::kStopSequence) return checks;
  const std::vector<SegmentWarning> warnings =
      JudgePlain(plan, source, translation,
                 plan.target_tokenizer->Decode(translation.tokens));
  if (warnings.empty()) return checks;
  checks.num_flagged = 1;
  const auto add_if = [&](SegmentWarning warning, SegmentCheck check) {
    if (absl::c_linear_search(warnings, warning)) checks.Add(check);
  };
  add_if(SegmentWarning::kNumber, SegmentCheck::kNumbersFlagged);
  add_if(SegmentWarning::kUnknownCharacter, SegmentCheck::kCharactersFlagged);
  if (IsSuspicious(warnings)) checks.Add(SegmentCheck::kCoverageFlagged);
  return checks;
}

HeldResult SegmentRepair::TakeResult() {
  SHEAF_CHECK(is_final_);
  HeldResult result;
  CountChecks(result.checks);
  result.mean_logprob = best_->mean_logprob;
  result.num_input_tokens = num_input_tokens_;
  result.num_output_tokens = num_output_tokens_;
  result.warnings = best_->warnings;
  if (plan_.num_hypotheses > 1) {
    for (Candidate& each : alternatives_) {
      // The best comes first.
      if (each.rank == best_->rank && each.method == best_->method) continue;
      if (each.is_whole()) {
        result.hypotheses.push_back(
            Render(plan_, segment_, std::move(each)).part);
      }
    }
  }
  Rendered best = Render(plan_, segment_, *std::move(best_));
  result.alignment = std::move(best.alignment);
  result.best = std::move(best.part);
  if (plan_.num_hypotheses > 1) {
    result.hypotheses.insert(result.hypotheses.begin(), result.best);
  }
  return result;
}

}  // namespace sheaf
