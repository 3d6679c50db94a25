#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/request.h"
#include "server/answer.h"

namespace sheaf {

// The rounds in which a text longer than the model's source is summarized: each
// has the summaries of its parts for a text, and the next summarizes that. A
// round of one part is the last; so is one that has not fewer parts than the
// one before it, and then its summaries joined are the answer: nothing is
// dropped, and there is always an end.
//
// Segments of the request are numbered on from round to round.
//
// Not thread-safe: the delivery thread owns it.
class SummaryRounds {
 public:
  // The first round, which is not the last: `plan` is the whole answer's, its
  // segments those of this round.
  explicit SummaryRounds(AnswerPlan plan);

  // The part with this segment index is summarized.
  void FinishPart(int32_t segment_index, const Hypothesis& summary);

  // All parts of the round are; the next one can begin.
  bool is_round_done() const { return num_left_ == 0; }

  // The summaries, joined by spaces. REQUIRES: is_round_done().
  std::string TakeText();

  // Begins the round of these sources. True: it is the last, and plan() is for
  // an Answer of its segments, which begin at first_segment().
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
