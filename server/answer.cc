// SPDX-License-Identifier: Apache-2.0

#include "server/answer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace sheaf {

FinishReason MergeFinishReasons(FinishReason earlier, FinishReason later) {
  for (FinishReason bad : {FinishReason::kLength, FinishReason::kRepetition}) {
    if (earlier == bad || later == bad) return bad;
  }
  return later;
}

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

void Answer::AddTokens(int32_t segment_index,
                       absl::Span<const int32_t> tokens) {
  SegmentText& segment = SegmentAt(segment_index);
  for (int32_t token : tokens) {
    if (segment.has_ended) break;
    segment.ready.tokens.push_back(token);
    ++segment.num_tokens;
    if (segment.detokenizer.has_value()) {
      AddText(segment_index, segment.detokenizer->Append({&token, 1}));
    }
  }
  Advance();
}

void Answer::FinishSegment(int32_t segment_index,
                           const std::vector<Hypothesis>& hypotheses) {
  SegmentText& segment = SegmentAt(segment_index);
  segment.score = hypotheses.front().score;
  segment.source_positions = hypotheses.front().source_positions;
  if (!segment.has_ended && segment.detokenizer.has_value()) {
    AddText(segment_index, segment.detokenizer->Finish());
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
    }
  }
  segment.has_finished = true;
  ++num_finished_;
  Advance();
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
    ready_.text += whole_.Append(std::exchange(segment.ready.text, ""));
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
  ready_.text += whole_.Finish();
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

void Answer::AddGap() {
  const absl::string_view gap = plan_.gaps[next_];
  ready_.text += whole_.Append(gap);
  for (FinishedPart& other : summary_.others) absl::StrAppend(&other.text, gap);
}

// Adds the result of the segment that comes next, which is done.
void Answer::Conclude(const SegmentText& segment) {
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
