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
#include "server/answer.h"
#include "server/repair/repair_plan.h"
#include "server/summary_rounds.h"

namespace sheaf {

// The decodes of one request: those of its own segments, and those that follow
// from their results. These are the further rounds of a long summary, whose
// sources another thread makes, and the repairs of held segments. The engine
// gets them as extensions of the request, which stays open until nothing more
// can follow. Where a repair is rare, because nothing in the text must survive,
// the request is not open: its answer would wait until the engine closes it, a
// step later. Then the repairs are extensions of a second request, which
// follows when the first has ended.
//
// Not thread-safe: the delivery thread owns it.
class RequestDecodes {
 public:
  // `request` is the one that the engine gets, without its extensions, which
  // have at most `max_beam_size` beams. An open request without repairs is the
  // first of several SummaryRounds.
  RequestDecodes(AnswerPlan plan, const Request& request,
                 int32_t max_beam_size);

  // News of the engine about a segment of the request or of an extension.
  // `hypotheses` has at least one element, best first.
  void AddTokens(int32_t segment_index, absl::Span<const int32_t> tokens);
  void FinishSegment(int32_t segment_index,
                     const std::vector<Hypothesis>& hypotheses);

  // The text of the next round, once it is known. Its sources
  // (RequestReader::SummarySources()) are those of BeginRound().
  std::optional<std::string> TakeRoundText() {
    return std::exchange(round_text_, std::nullopt);
  }
  void BeginRound(TokenLists sources);

  // Extensions that have become necessary since the last call, for
  // Engine::Extend() in this order. The last one closes the request.
  std::vector<Extension> TakeExtensions();

  // Whether the request has ended, but repairs of its segments wait for a
  // second one.
  bool needs_second_request() const {
    return second_.has_value() && !answer_->is_finished();
  }
  // The second request: open, and without segments, which are the next
  // extensions. REQUIRES: needs_second_request(). Called once.
  Request TakeSecondRequest();
  bool is_second() const { return first_segment_ < 0; }
  // Ends all repairs with what they have. REQUIRES: the first request is done.
  void GiveUpRepairs();

  // Null before the last round of a summary.
  Answer* answer() { return answer_.has_value() ? &*answer_ : nullptr; }
  // The index of the answer's first segment in the request. Before the last
  // round of a summary it is greater than every index. In a second request,
  // which continues the numbers of the first, it is negative.
  int32_t first_segment() const { return first_segment_; }

 private:
  Extension ExtensionOf(Answer::DecodeGroup group) const;

  const std::shared_ptr<const RepairPlan> repairs_;  // null: none
  const std::shared_ptr<const StopCondition> stop_;  // of repairs
  const int32_t max_beam_size_;
  std::optional<SummaryRounds> rounds_;  // before the last round
  std::optional<std::string> round_text_;
  std::optional<Answer> answer_;  // from the last round on
  int32_t first_segment_ = 0;
  std::vector<Extension> extensions_;  // not taken yet
  bool is_open_;                       // for repairs
  // Set until it is taken, if repairs need it.
  std::optional<Request> second_;
};

}  // namespace sheaf
