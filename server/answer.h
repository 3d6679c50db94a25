// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "engine/request.h"
#include "server/answer_part.h"
#include "server/gaps.h"
#include "text/segmenter.h"
#include "text/stop_matcher.h"
#include "text/stream_detokenizer.h"
#include "text/tokenizer.h"

namespace sheaf {

// The finish reason of two consecutive segments together: kLength if either was
// cut off, else kRepetition if either repeated itself, else the later one.
FinishReason MergeFinishReasons(FinishReason earlier, FinishReason later);

// The text between the summaries of a long text's parts.
inline constexpr char kBetweenSummaries[] = " ";
Gaps GapsOfSummaries(int32_t num_segments);

// How the segments of a request become one text.
struct AnswerPlan {
  int32_t num_segments = 0;
  int32_t num_input_tokens = 0;  // of all rounds
  // The totals of earlier rounds (summary_rounds.h).
  struct Earlier {
    int32_t num_segments = 0;
    int32_t num_output_tokens = 0;
    FinishReason finish_reason = FinishReason::kEos;
  } earlier;
  int32_t num_hypotheses = 1;
  CopiedSentences copied;  // in the gaps
  DetectedTexts detected;
  // [num_segments + 1]: the text before each segment's, and after the last.
  Gaps gaps = Gaps({""});
  std::vector<std::string> stop;
  const Tokenizer* tokenizer = nullptr;  // not owned; null: tokens, no text
};

// The answer to one request while it grows. Tokens of segments arrive in any
// order; one text comes out, in the order of the source.
//
// Stop sequences are searched for in the whole text, across the borders of
// tokens and segments. If one ends a segment's own text, the segment's tokens
// end with the token that completed it, where the engine also ends it
// (text/stop_sequences.h). One that lies across segments, or in a gap, ends the
// text once the engine is done with the last of these segments.
//
// With num_hypotheses above 1, there are alternative texts. The n-th joins the
// n-th hypotheses of the segments; a segment with fewer gives its last.
//
// Not thread-safe: the delivery thread owns it.
class Answer {
 public:
  explicit Answer(AnswerPlan plan);
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  void AddTokens(int32_t segment_index, absl::Span<const int32_t> tokens);
  // `hypotheses` has at least one element, best first.
  void FinishSegment(int32_t segment_index,
                     const std::vector<Hypothesis>& hypotheses);

  // Returns what has become ready since the last call, in order.
  AnswerPart TakePart();

  // Nothing more will become ready: all segments have finished, or a stop
  // sequence ended one, so that those after it do not count.
  bool is_complete() const { return is_complete_; }
  // The engine is done with every segment.
  bool is_finished() const { return num_finished_ == plan_.num_segments; }
  // REQUIRES: is_complete().
  const AnswerSummary& summary() const;

 private:
  struct SegmentText {
    explicit SegmentText(const AnswerPlan& plan) : matcher(plan.stop) {
      if (plan.tokenizer != nullptr) detokenizer.emplace(*plan.tokenizer);
    }

    std::optional<StreamDetokenizer> detokenizer;  // none without a tokenizer
    StopMatcher matcher;
    AnswerPart ready;  // not in ready_ yet
    int32_t num_tokens = 0;
    float score = 0;
    std::vector<int32_t> source_positions;
    FinishReason finish_reason = FinishReason::kEos;
    std::vector<FinishedPart> hypotheses;  // if several are asked for
    bool has_ended = false;                // no text will follow
    bool has_finished = false;             // the engine is done with it
  };

  SegmentText& SegmentAt(int32_t segment_index);
  void AddText(int32_t segment_index, const std::string& text);
  void Advance();
  void AddGap();
  void Conclude(const SegmentText& segment);

  const AnswerPlan plan_;
  StopMatcher whole_;  // of the text in order, with gaps
  // [num_segments]; null before the segment's first tokens and once it is in
  // ready_, so that a text of very many sentences takes little memory.
  std::vector<std::unique_ptr<SegmentText>> segments_;
  AnswerPart ready_;          // in order, not taken yet
  int32_t num_finished_ = 0;  // segments
  int32_t next_ = 0;          // the segment whose text comes next
  bool is_gap_due_ = true;    // the gap before it is not in ready_ yet
  bool is_complete_ = false;
  size_t most_hypotheses_ = 1;  // the largest number of a segment so far
  AnswerSummary summary_;
};

}  // namespace sheaf
