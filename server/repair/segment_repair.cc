// SPDX-License-Identifier: Apache-2.0

#include "server/repair/segment_repair.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace sheaf {

SegmentRepair::SegmentRepair(const RepairPlan& plan, const SegmentPlan& segment)
    : plan_(plan),
      segment_(segment),
      trial_(MakeTrial(plan, segment, Method::kAsIs)) {}

std::vector<RepairDecode> SegmentRepair::Take(
    int32_t decode, const std::vector<Hypothesis>& hypotheses) {
  num_output_tokens_ += static_cast<int32_t>(hypotheses.front().tokens.size());
  trial_.decoded_part(decode - first_decode_).hypotheses = hypotheses;
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
                     [](const Candidate& each) { return each.has_spans(); });
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
  if (!plan_.may_decode || num_rounds_ == kMaxRounds || best_->is_stopped()) {
    return std::nullopt;
  }
  const Verdict& verdict = best_->verdict;
  const std::pair<Method, bool> methods[] = {
      {Method::kSentenceCase, segment_.is_in_capitals},
      {Method::kStandIns, !verdict.has_spans},
      {Method::kCut, !verdict.has_spans},
      {Method::kOtherSearch, !verdict.has_numbers || verdict.is_suspicious()},
      {Method::kHalves, verdict.is_suspicious()}};
  for (const auto& [method, is_needed] : methods) {
    if (is_needed && !WasTried(method)) return method;
  }
  return std::nullopt;
}

// Begins the next round, if any.
std::vector<RepairDecode> SegmentRepair::Next() {
  std::vector<RepairDecode> decodes;
  while (const std::optional<Method> method = NextMethod()) {
    ++num_rounds_;
    if (!Begin(MakeTrial(plan_, segment_, *method), decodes)) {
      tried_.push_back(*method);  // it has no use for this segment
      continue;
    }
    if (!decodes.empty()) return decodes;
    Judge();  // there is nothing to decode
  }
  is_final_ = true;
  return {};
}

// Returns false if the method cannot be tried.
bool SegmentRepair::Begin(Trial trial, std::vector<RepairDecode>& decodes) {
  if (trial.parts.empty()) return false;
  std::vector<RepairDecode> begun;
  for (const TrialPart& part : trial.parts) {
    if (part.is_copied) continue;
    RepairDecode& decode = begun.emplace_back();
    decode.number = num_decodes_ + static_cast<int32_t>(begun.size()) - 1;
    decode.source = part.ids;
    decode.is_other_search = trial.method == Method::kOtherSearch;
    num_input_tokens_ += static_cast<int32_t>(part.ids.size());
  }
  first_decode_ = num_decodes_;
  num_left_ = static_cast<int32_t>(begun.size());
  num_decodes_ += num_left_;
  trial_ = std::move(trial);
  decodes = std::move(begun);
  return true;
}

void SegmentRepair::CountChecks(SegmentCheckCounts& checks) const {
  checks.num_decodes = num_decodes_ - 1;
  const Verdict& verdict = best_->verdict;
  if (best_->is_stopped()) return;
  if (!segment_.spans.empty()) checks.Add(SpanCheckOf(*best_));
  if (!first_verdict_.has_numbers || !verdict.has_numbers) {
    checks.Add(verdict.has_numbers ? SegmentCheck::kNumbersRepaired
                                   : SegmentCheck::kNumbersFlagged);
  }
  if (best_->has_copied_characters) {
    checks.Add(SegmentCheck::kCharactersCopied);
  }
  if (!verdict.has_characters) checks.Add(SegmentCheck::kCharactersFlagged);
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

HeldResult SegmentRepair::TakeResult() {
  SHEAF_CHECK(is_final_);
  HeldResult result;
  CountChecks(result.checks);
  result.mean_logprob = best_->mean_logprob;
  result.num_input_tokens = num_input_tokens_;
  result.num_output_tokens = num_output_tokens_;
  result.warnings = WarningsOf(*best_);
  if (plan_.num_hypotheses > 1) {
    for (Candidate& each : alternatives_) {
      // The best comes first.
      if (each.rank == best_->rank && each.method == best_->method) continue;
      if (each.has_spans()) {
        result.hypotheses.push_back(Render(segment_, std::move(each)).part);
      }
    }
  }
  Rendered best = Render(segment_, *std::move(best_));
  result.alignment = std::move(best.alignment);
  result.best = std::move(best.part);
  if (plan_.num_hypotheses > 1) {
    result.hypotheses.insert(result.hypotheses.begin(), result.best);
  }
  return result;
}

}  // namespace sheaf
