// SPDX-License-Identifier: Apache-2.0

#include "server/answer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "server/repair/code_points.h"

namespace sheaf {

Gaps GapsOfSummaries(int32_t num_segments) {
  Gaps gaps;
  gaps.push_back("");
  for (int32_t i = 1; i < num_segments; ++i) gaps.push_back(kBetweenSummaries);
  if (num_segments > 0) gaps.push_back("");
  return gaps;
}

Answer::Answer(AnswerPlan plan) : plan_(std::move(plan)), whole_(plan_.stop) {
  SHEAF_CHECK(static_cast<int32_t>(plan_.gaps.size()) ==
              plan_.num_segments + 1);
  summary_.num_input_tokens = plan_.num_input_tokens;
  summary_.num_segments = plan_.earlier.num_segments + plan_.num_segments;
  summary_.num_output_tokens = plan_.earlier.num_output_tokens;
  summary_.finish_reason = plan_.earlier.finish_reason;
  summary_.copied = plan_.copied;
  summary_.detected = plan_.detected;
  summary_.others.resize(plan_.num_hypotheses - 1);
  segments_.resize(plan_.num_segments);
  Advance();
}

Answer::SegmentText& Answer::SegmentAt(int32_t segment_index) {
  std::unique_ptr<SegmentText>& segment = segments_[segment_index];
  if (segment == nullptr) segment = std::make_unique<SegmentText>(plan_);
  return *segment;
}

// Appends `text` to the segment's text.
void Answer::AddText(int32_t segment_index, const std::string& text) {
  SegmentText& segment = SegmentAt(segment_index);
  segment.ready.text += segment.matcher.Append(text);
  if (!segment.matcher.has_matched()) return;
  segment.has_ended = true;
  segment.finish_reason = FinishReason::kStopSequence;
}

bool Answer::IsHeld(int32_t segment_index) const {
  if (plan_.repairs == nullptr) return false;
  return plan_.repairs->segments[segment_index] != nullptr ||
         (plan_.repairs->may_repair_all && !plan_.is_streamed);
}

const SegmentPlan& Answer::PlanOf(int32_t segment_index) {
  const RepairPlan& repairs = *plan_.repairs;
  if (repairs.segments[segment_index] != nullptr) {
    return *repairs.segments[segment_index];
  }
  std::unique_ptr<const SegmentPlan>& plan = SegmentAt(segment_index).own_plan;
  if (plan == nullptr) {
    auto made = std::make_unique<SegmentPlan>();
    made->source = repairs.sources[segment_index];
    plan = std::move(made);
  }
  return *plan;
}

void Answer::AddTokens(int32_t index, absl::Span<const int32_t> tokens) {
  // Held segments are read when they are whole.
  if (index >= plan_.num_segments || IsHeld(index)) return;
  SegmentText& segment = SegmentAt(index);
  for (int32_t token : tokens) {
    if (segment.has_ended) break;
    segment.ready.tokens.push_back(token);
    ++segment.num_tokens;
    if (segment.detokenizer.has_value()) {
      AddText(index, segment.detokenizer->Append({&token, 1}));
    }
  }
  Advance();
}

void Answer::FinishSegment(int32_t index,
                           const std::vector<Hypothesis>& hypotheses) {
  if (index >= plan_.num_segments) {
    return FinishHeld(decodes_[index - plan_.num_segments], hypotheses);
  }
  if (IsHeld(index)) return FinishHeld({index, 0}, hypotheses);
  SegmentText& segment = SegmentAt(index);
  segment.score = hypotheses.front().score;
  // A translation's positions are for its repairs only.
  const bool has_positions = plan_.repairs == nullptr;
  if (has_positions) {
    segment.source_positions = hypotheses.front().source_positions;
  }
  if (!segment.has_ended && segment.detokenizer.has_value()) {
    AddText(index, segment.detokenizer->Finish());
  }
  if (!segment.has_ended) {
    segment.ready.text += segment.matcher.Finish();
    segment.finish_reason = hypotheses.front().finish_reason;
    segment.has_ended = true;
  }
  if (plan_.num_hypotheses > 1) {
    for (const Hypothesis& hypothesis : hypotheses) {
      segment.hypotheses.push_back(
          WithText(hypothesis, plan_.tokenizer, plan_.stop));
      if (!has_positions) segment.hypotheses.back().source_positions.clear();
    }
  }
  if (plan_.repairs != nullptr) {
    segment.checks = CheckSent(*plan_.repairs, plan_.repairs->sources[index],
                               hypotheses.front());
  }
  segment.has_finished = true;
  ++num_finished_;
  Advance();
}

void Answer::FinishHeld(HeldDecode of,
                        const std::vector<Hypothesis>& hypotheses) {
  if (is_complete_) return;  // a segment after the end
  const RepairPlan& repairs = *plan_.repairs;
  if (of.decode == 0 && repairs.segments[of.segment_index] == nullptr) {
    if (std::optional<HeldResult> plain = ReadPlain(
            repairs, repairs.sources[of.segment_index], hypotheses.front())) {
      TakeHeld(of.segment_index, *std::move(plain));
      return Advance();
    }
  }
  SegmentText& segment = SegmentAt(of.segment_index);
  if (segment.repair == nullptr) {
    segment.repair =
        std::make_unique<SegmentRepair>(repairs, PlanOf(of.segment_index));
  }
  for (RepairDecode& decode : segment.repair->Take(of.decode, hypotheses)) {
    waiting_.push_back({{of.segment_index, decode.number}, std::move(decode)});
  }
  if (!segment.repair->is_final()) return;
  EndRepair(of.segment_index);
  Advance();
}

void Answer::EndRepair(int32_t segment_index) {
  SegmentText& segment = SegmentAt(segment_index);
  HeldResult result = segment.repair->TakeResult();
  segment.repair.reset();
  TakeHeld(segment_index, std::move(result));
}

void Answer::GiveUpRepairs() {
  waiting_.clear();
  for (int32_t i = next_; i < plan_.num_segments; ++i) {
    if (segments_[i] == nullptr || segments_[i]->repair == nullptr) continue;
    segments_[i]->repair->GiveUp();
    EndRepair(i);
  }
  Advance();
}

void Answer::TakeHeld(int32_t segment_index, HeldResult result) {
  SegmentText& segment = SegmentAt(segment_index);
  segment.score = result.best.score;
  segment.num_tokens = result.num_output_tokens;
  segment.finish_reason = result.best.finish_reason;
  segment.ready.tokens = std::move(result.best.tokens);
  AddText(segment_index, result.best.text);
  if (!segment.has_ended) segment.ready.text += segment.matcher.Finish();
  for (FinishedPart& hypothesis : result.hypotheses) {
    StopMatcher matcher(plan_.stop);
    hypothesis.text = matcher.Append(hypothesis.text);
    hypothesis.text += matcher.Finish();
    if (matcher.has_matched()) {
      hypothesis.finish_reason = FinishReason::kStopSequence;
    }
    segment.hypotheses.push_back(std::move(hypothesis));
  }
  if (HasReports()) SetReport(segment_index, result, segment);
  segment.num_repair_tokens = result.num_input_tokens;
  segment.checks = result.checks;
  segment.has_ended = true;
  segment.has_finished = true;
  ++num_finished_;
}

bool Answer::HasReports() const {
  return plan_.repairs != nullptr && plan_.repairs->has_reports;
}

// Makes the segment's report, with spans of its own text as target.
void Answer::SetReport(int32_t segment_index, const HeldResult& result,
                       SegmentText& segment) {
  const SegmentPlan& plan = PlanOf(segment_index);
  segment.report = std::make_unique<SegmentReport>();
  SegmentReport& report = *segment.report;
  report.source = plan.place;
  report.target = {0, NumCodePoints(segment.ready.text)};
  report.mean_logprob = result.mean_logprob;
  report.warnings = result.warnings;
  if (plan.places.empty()) return;
  CodePointIndex target(result.best.text);
  for (const AlignedSpan& span : result.alignment) {
    if (span.source.size() == 0 || span.target.size() == 0) continue;
    const CodePointRange place = {target.At(span.target.begin),
                                  target.At(span.target.end)};
    if (place.end > report.target.end) break;  // after a stop sequence
    report.alignments.push_back({{plan.places[span.source.begin].begin,
                                  plan.places[span.source.end - 1].end},
                                 place});
  }
}

// Adds the report of the segment whose text is the last one so far.
void Answer::AddReport(SegmentReport& report) {
  const int64_t begin = num_code_points_ - report.target.end;
  const auto shift = [begin](CodePointRange& range) {
    range.begin += begin;
    range.end += begin;
  };
  shift(report.target);
  for (ReportedAlignment& each : report.alignments) shift(each.target);
  summary_.reports.push_back(std::move(report));
}

// Shortens reports of text after a stop sequence that lies across segments.
void Answer::ClipReports() {
  for (SegmentReport& report : summary_.reports) {
    if (report.target.end <= num_shown_) continue;
    report.target.end = num_shown_;
    report.target.begin = std::min(report.target.begin, num_shown_);
    std::vector<ReportedAlignment>& all = report.alignments;
    while (!all.empty() && all.back().target.end > num_shown_) all.pop_back();
  }
}

std::vector<Answer::DecodeGroup> Answer::TakeDecodes() {
  std::vector<DecodeGroup> groups;
  const auto add = [&](const WaitingDecode& waiting) {
    groups.back().sources.push_back(waiting.content.source);
    decodes_.push_back(waiting.of);
  };
  for (const bool is_other : {false, true}) {
    bool has_group = false;
    for (const WaitingDecode& waiting : waiting_) {
      if (waiting.content.is_other_search != is_other) continue;
      if (waiting.content.constraints != nullptr) continue;
      if (!std::exchange(has_group, true)) {
        groups.emplace_back().is_other_search = is_other;
      }
      add(waiting);
    }
  }
  for (const WaitingDecode& waiting : waiting_) {
    if (waiting.content.constraints == nullptr) continue;
    groups.emplace_back().is_other_search = waiting.content.is_other_search;
    groups.back().constraints = waiting.content.constraints;
    add(waiting);
  }
  waiting_.clear();
  return groups;
}

// Moves what comes next, in order, to ready_.
void Answer::Advance() {
  if (is_complete_) return;  // segments after the end
  while (!is_complete_) {
    if (is_gap_due_) AddGap();
    is_gap_due_ = false;
    if (next_ == plan_.num_segments || whole_.has_matched()) {
      is_complete_ = true;
      break;
    }
    SegmentText& segment = SegmentAt(next_);
    Show(std::exchange(segment.ready.text, ""));
    ready_.tokens.insert(ready_.tokens.end(), segment.ready.tokens.begin(),
                         segment.ready.tokens.end());
    segment.ready.tokens.clear();
    // A stop sequence may end the text before the engine is done with the
    // segment. The score arrives when it is.
    if (!segment.has_finished) return;
    Conclude(segment);
  }
  if (whole_.has_matched()) {
    summary_.finish_reason =
        MergeFinishReasons(summary_.finish_reason, FinishReason::kStopSequence);
  }
  const std::string rest = whole_.Finish();
  num_shown_ += HasReports() ? NumCodePoints(rest) : 0;
  ready_.text += rest;
  ClipReports();
  summary_.others.resize(
      std::min(summary_.others.size(), most_hypotheses_ - 1));
  for (FinishedPart& other : summary_.others) {
    StopMatcher matcher(plan_.stop);
    other.text = matcher.Append(other.text);
    other.text += matcher.Finish();
    if (!matcher.has_matched()) continue;
    other.finish_reason =
        MergeFinishReasons(other.finish_reason, FinishReason::kStopSequence);
  }
}

// Appends to the text in order.
void Answer::Show(absl::string_view text) {
  if (!HasReports()) {
    ready_.text += whole_.Append(text);
    return;
  }
  num_code_points_ += NumCodePoints(text);
  const std::string shown = whole_.Append(text);
  num_shown_ += NumCodePoints(shown);
  ready_.text += shown;
}

void Answer::AddGap() {
  const absl::string_view gap = plan_.gaps[next_];
  Show(gap);
  for (FinishedPart& other : summary_.others) absl::StrAppend(&other.text, gap);
}

// Adds the result of the segment that comes next, which is done.
void Answer::Conclude(SegmentText& segment) {
  if (segment.report != nullptr) AddReport(*segment.report);
  summary_.num_input_tokens += segment.num_repair_tokens;
  summary_.checks.Add(segment.checks);
  summary_.score += segment.score;
  summary_.source_positions.insert(summary_.source_positions.end(),
                                   segment.source_positions.begin(),
                                   segment.source_positions.end());
  summary_.num_output_tokens += segment.num_tokens;
  summary_.finish_reason =
      MergeFinishReasons(summary_.finish_reason, segment.finish_reason);
  most_hypotheses_ = std::max(most_hypotheses_, segment.hypotheses.size());
  for (size_t i = 0; i < summary_.others.size(); ++i) {
    const size_t rank = std::min(i + 1, segment.hypotheses.size() - 1);
    const FinishedPart& from = segment.hypotheses[rank];
    FinishedPart& to = summary_.others[i];
    to.text += from.text;
    to.tokens.insert(to.tokens.end(), from.tokens.begin(), from.tokens.end());
    to.source_positions.insert(to.source_positions.end(),
                               from.source_positions.begin(),
                               from.source_positions.end());
    to.score += from.score;
    to.finish_reason = MergeFinishReasons(to.finish_reason, from.finish_reason);
  }
  is_complete_ = whole_.has_matched() ||
                 segment.finish_reason == FinishReason::kStopSequence;
  is_gap_due_ = true;
  segments_[next_++].reset();
}

AnswerPart Answer::TakePart() { return std::exchange(ready_, AnswerPart()); }

const AnswerSummary& Answer::summary() const {
  SHEAF_CHECK(is_complete_);
  return summary_;
}

}  // namespace sheaf
