// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/request.h"
#include "server/answer.h"

namespace sheaf {

// The rounds in which a text longer than the model's source is summarized. Each
// round summarizes the parts of its text, and the joined summaries are the text
// of the next round. The last round is one with a single part, or one with no
// fewer parts than the round before; its joined summaries are the answer. So
// nothing is dropped, and the rounds always end.
//
// The numbers of the request's segments continue from round to round.
//
// Not thread-safe: the delivery thread owns it.
class SummaryRounds {
 public:
  // Begins the first round, which is not the last. `plan` is that of the whole
  // answer, with the segments of this round.
  explicit SummaryRounds(AnswerPlan plan);

  // Takes the summary of the part with this segment index.
  void FinishPart(int32_t segment_index, const Hypothesis& summary);

  // All parts of the round are summarized, so the next one can begin.
  bool is_round_done() const { return num_left_ == 0; }

  // The summaries, joined by spaces. REQUIRES: is_round_done().
  std::string TakeText();

  // Begins the round of these sources. Returns true if it is the last; then
  // plan() is for an Answer of its segments, which begin at first_segment().
  bool Begin(const TokenLists& sources);

  int32_t first_segment() const { return first_segment_; }
  const AnswerPlan& plan() const { return plan_; }

 private:
  AnswerPlan plan_;
  int32_t first_segment_ = 0;
  int32_t num_left_;                    // parts of the round
  std::vector<std::string> summaries_;  // of the round, by part
};

}  // namespace sheaf
