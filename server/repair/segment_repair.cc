// SPDX-License-Identifier: Apache-2.0

#include "server/repair/segment_repair.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/repair/render.h"

namespace sheaf {

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
  std::vector<Candidate> candidates =
      ReadCandidates(plan_, segment_, std::move(trial_));
  if (!best_.has_value()) {
    first_verdict_ = candidates.front().verdict;
    // The best hypothesis that keeps what must survive.
    const auto keeps =
        std::find_if(candidates.begin(), candidates.end(),
                     [](const Candidate& each) { return each.verdict.has_kept(); });
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
  const Verdict& verdict = best_->verdict;
  const std::pair<Method, bool> methods[] = {
      {Method::kSentenceCase, segment_.capitals != Capitals::kNone},
      {Method::kStandIns, !verdict.has_kept()},
      {Method::kOtherStandIns, !verdict.has_kept()},
      {Method::kCut, !verdict.has_kept()},
      {Method::kOtherSearch, !verdict.has_numbers || verdict.is_suspicious()},
      {Method::kHalves, verdict.is_suspicious()}};
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
    num_input_tokens_ += static_cast<int32_t>(part.ids.size());
  }
  num_left_ = static_cast<int32_t>(decodes.size());
  trial_ = std::move(trial);
  return decodes;
}

SegmentCheck SegmentRepair::SpanCheck() const {
  if (!best_->verdict.has_spans) return SegmentCheck::kSpansLost;
  if (best_->method == Method::kCut) return SegmentCheck::kSpansCut;
  if (best_->method == Method::kStandIns ||
      best_->method == Method::kOtherStandIns) {
    return SegmentCheck::kSpansStandIns;
  }
  return best_->is_put_back ? SegmentCheck::kSpansPutBack
                            : SegmentCheck::kSpansKept;
}

void SegmentRepair::CountChecks(SegmentCheckCounts& checks) const {
  checks.num_decodes = num_decodes_ - 1;
  const Verdict& verdict = best_->verdict;
  if (best_->is_stopped()) return;
  if (!segment_.spans.empty()) checks.Add(SpanCheck());
  if (!first_verdict_.has_numbers || !verdict.has_numbers) {
    checks.Add(verdict.has_numbers ? SegmentCheck::kNumbersRepaired
                                   : SegmentCheck::kNumbersFlagged);
  }
  if (!segment_.unknown.empty()) {
    checks.Add(verdict.is_restored ? SegmentCheck::kCharactersCopied
                                   : SegmentCheck::kCharactersFlagged);
  }
  if (WasTried(Method::kSentenceCase)) {
    checks.Add(best_->method == Method::kSentenceCase
                   ? SegmentCheck::kCapitalsInSentence
                   : SegmentCheck::kCapitalsAsTheyAre);
  }
  if (first_verdict_.is_suspicious() || verdict.is_suspicious()) {
    checks.Add(verdict.is_suspicious() ? SegmentCheck::kCoverageFlagged
                                       : SegmentCheck::kCoverageRepaired);
  }
}

std::vector<SegmentWarning> SegmentRepair::Warnings() const {
  const Verdict& verdict = best_->verdict;
  std::vector<SegmentWarning> warnings;
  const auto add = [&](SegmentWarning warning, bool is_due) {
    if (is_due) warnings.push_back(warning);
  };
  add(SegmentWarning::kProtectedSpan, !verdict.has_spans);
  add(SegmentWarning::kNumber, !verdict.has_numbers);
  add(SegmentWarning::kUnknownCharacter, !verdict.is_restored);
  add(SegmentWarning::kCut, best_->finish_reason == FinishReason::kLength);
  return warnings;
}

HeldResult SegmentRepair::TakeResult() {
  SHEAF_CHECK(is_final_);
  HeldResult result;
  CountChecks(result.checks);
  result.mean_logprob = best_->mean_logprob;
  result.num_input_tokens = num_input_tokens_;
  result.num_output_tokens = num_output_tokens_;
  result.warnings = Warnings();
  if (plan_.num_hypotheses > 1) {
    for (Candidate& each : alternatives_) {
      // The best comes first.
      if (each.rank == best_->rank && each.method == best_->method) continue;
      if (each.verdict.has_kept()) {
        result.hypotheses.push_back(Render(plan_, segment_, std::move(each)).part);
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
