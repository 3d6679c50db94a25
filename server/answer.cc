#include "server/answer.h"

#include <utility>

#include "engine/check.h"

namespace sheaf {

Answer::Answer(AnswerPlan plan) : plan_(std::move(plan)) {
  SHEAF_CHECK(static_cast<int32_t>(plan_.gaps.size()) ==
              plan_.num_segments + 1);
  ending_.num_input_tokens = plan_.num_input_tokens;
  ending_.num_segments = plan_.num_segments;
  segments_.resize(plan_.num_segments);
  Advance();
}

Answer::SegmentText& Answer::SegmentAt(int32_t segment_index) {
  std::unique_ptr<SegmentText>& segment = segments_[segment_index];
  if (segment == nullptr) segment = std::make_unique<SegmentText>(plan_);
  return *segment;
}

// The segment's text goes on with `text`.
void Answer::AddText(int32_t segment_index, const std::string& text) {
  SegmentText& segment = SegmentAt(segment_index);
  segment.ready.text += segment.matcher.Append(text);
  if (!segment.matcher.has_matched()) return;
  segment.has_ended = true;
  segment.finish_reason = FinishReason::kStopSequence;
  stopped_.push_back(segment_index);
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
                           const Hypothesis& hypothesis) {
  SegmentText& segment = SegmentAt(segment_index);
  segment.score = hypothesis.score;
  if (!segment.has_ended && segment.detokenizer.has_value()) {
    AddText(segment_index, segment.detokenizer->Finish());
  }
  if (!segment.has_ended) {
    segment.ready.text += segment.matcher.Finish();
    segment.finish_reason = hypothesis.finish_reason;
    segment.has_ended = true;
  }
  segment.has_finished = true;
  ++num_finished_;
  Advance();
}

// Moves what is next in order to ready_.
void Answer::Advance() {
  while (!is_complete_) {
    if (is_gap_due_) ready_.text += plan_.gaps[next_];
    is_gap_due_ = false;
    if (next_ == plan_.num_segments) {
      is_complete_ = true;
      return;
    }
    SegmentText& segment = SegmentAt(next_);
    ready_.text += std::exchange(segment.ready.text, "");
    ready_.tokens.insert(ready_.tokens.end(), segment.ready.tokens.begin(),
                         segment.ready.tokens.end());
    segment.ready.tokens.clear();
    // A stop sequence ends the text before the engine is done with the segment;
    // the score comes when it is.
    if (!segment.has_finished) return;
    Conclude(segment);
  }
}

// The segment that was next is over.
void Answer::Conclude(const SegmentText& segment) {
  ending_.score = segment.score;
  ending_.num_output_tokens += segment.num_tokens;
  if (!was_cut_) ending_.finish_reason = segment.finish_reason;
  was_cut_ |= segment.finish_reason == FinishReason::kLength;
  is_complete_ = segment.finish_reason == FinishReason::kStopSequence;
  is_gap_due_ = true;
  segments_[next_++].reset();
}

Piece Answer::TakePiece() { return std::exchange(ready_, Piece()); }

std::vector<int32_t> Answer::TakeStopped() {
  return std::exchange(stopped_, {});
}

const Ending& Answer::ending() const {
  SHEAF_CHECK(is_complete_);
  return ending_;
}

}  // namespace sheaf
