// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "base/token_lists.h"
#include "engine/request.h"
#include "server/answer_part.h"
#include "server/gaps.h"
#include "server/repair/repair_plan.h"
#include "server/repair/segment_repair.h"
#include "text/segmenter.h"
#include "text/stop_matcher.h"
#include "text/stream_detokenizer.h"
#include "text/tokenizer.h"

namespace sheaf {

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
  // Checks and repairs of the segments; null: none.
  std::shared_ptr<const RepairPlan> repairs = nullptr;
  // Whether the client gets parts of the text before it is whole. Then segments
  // in which nothing must survive are sent as they grow, and checked when that
  // can change nothing any more.
  bool is_streamed = false;
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
// A segment with a SegmentPlan is held, and with RepairPlan::may_repair_all all
// are, unless the answer is a stream. The tokens of a held segment are read
// when it is whole, and checks may find that it must be decoded again
// (TakeDecodes()). Its text becomes ready when it is final. The decodes
// continue the numbering of the segments.
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

  // `index` is that of a segment or of a decode of TakeDecodes().
  void AddTokens(int32_t index, absl::Span<const int32_t> tokens);
  // `hypotheses` has at least one element, best first.
  void FinishSegment(int32_t index, const std::vector<Hypothesis>& hypotheses);

  // Decodes that have become necessary since the last call, in the order of
  // their numbers. Each group is one extension of the request.
  struct DecodeGroup {
    TokenLists sources;
    bool is_other_search = false;  // RepairPlan::other_search, else same_search
    std::shared_ptr<const ConstraintSet> constraints;  // null: none
  };
  std::vector<DecodeGroup> TakeDecodes();

  // Every segment that waits for a decode is final with what it has.
  void GiveUpRepairs();

  int32_t num_segments() const { return plan_.num_segments; }

  // Returns what has become ready since the last call, in order.
  AnswerPart TakePart();

  // Nothing more will become ready: all segments have finished, or a stop
  // sequence ended one, so that those after it do not count.
  bool is_complete() const { return is_complete_; }
  // Every segment is final; no decode will follow.
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
    std::vector<FinishedPart> hypotheses;         // if several are asked for
    bool has_ended = false;                       // no text will follow
    bool has_finished = false;                    // the engine is done with it
    std::unique_ptr<const SegmentPlan> own_plan;  // if RepairPlan has none
    std::unique_ptr<SegmentRepair> repair;        // while it is held
    std::unique_ptr<SegmentReport> report;  // if asked for, once it is final
    SegmentCheckCounts checks;
    int32_t num_repair_tokens = 0;  // of sources
  };
  // A decode of a held segment.
  struct HeldDecode {
    int32_t segment_index;
    int32_t decode;  // of SegmentRepair
  };
  struct WaitingDecode {
    HeldDecode of;
    RepairDecode content;
  };

  SegmentText& SegmentAt(int32_t segment_index);
  bool IsHeld(int32_t segment_index) const;
  const SegmentPlan& PlanOf(int32_t segment_index);  // REQUIRES: IsHeld()
  void FinishHeld(HeldDecode of, const std::vector<Hypothesis>& hypotheses);
  void EndRepair(int32_t segment_index);
  void TakeHeld(int32_t segment_index, HeldResult result);
  bool HasReports() const;
  void SetReport(int32_t segment_index, const HeldResult& result,
                 SegmentText& segment);
  void AddReport(SegmentReport& report);
  void ClipReports();
  void AddText(int32_t segment_index, const std::string& text);
  void Advance();
  void Show(absl::string_view text);
  void AddGap();
  void Conclude(SegmentText& segment);

  const AnswerPlan plan_;
  StopMatcher whole_;  // of the text in order, with gaps
  // [num_segments]; null before the segment's first tokens and once it is in
  // ready_, so that a text of very many sentences takes little memory.
  std::vector<std::unique_ptr<SegmentText>> segments_;
  AnswerPart ready_;                    // in order, not taken yet
  std::vector<WaitingDecode> waiting_;  // for TakeDecodes()
  std::vector<HeldDecode> decodes_;     // taken, in their order
  int32_t num_finished_ = 0;            // segments
  int32_t next_ = 0;                    // the segment whose text comes next
  bool is_gap_due_ = true;  // the gap before it is not in ready_ yet
  bool is_complete_ = false;
  // Positions in the text in order, and in the part shown; if there are
  // reports.
  int64_t num_code_points_ = 0, num_shown_ = 0;
  size_t most_hypotheses_ = 1;  // the largest number of a segment so far
  AnswerSummary summary_;
};

}  // namespace sheaf
