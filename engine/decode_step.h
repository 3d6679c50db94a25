// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "base/monotonic_time.h"
#include "engine/decoding.h"
#include "engine/hypotheses.h"
#include "engine/kernels/kernels.h"
#include "engine/model_runner.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "engine/stats.h"
#include "engine/thread_team.h"

namespace sheaf {

// The decode half of a step: computes one token for every sequence of the
// planned segments, chooses the next token, and tells the sinks.
//
// A segment without beams continues with the token that ChooseToken() returns.
// A segment with beams gives the RankTokens() of each beam to its BeamSearch
// (with constraints, those that come nearer to a term, too) and forks
// accordingly. Its sink gets the tokens that all live beams and the
// best finished hypothesis have in common. The winner comes from one of these,
// so no token is ever taken back.
//
// All vectors are sized at start and reused. A step allocates nothing, except
// for finished hypotheses of beams, for constraints and in the sinks.
//
// Not thread-safe; owned by a lane. The tokens are chosen on the team.
class DecodeStep {
 public:
  // Nothing is owned; all arguments outlive this. `utf8_rule` may be null.
  DecodeStep(int32_t max_sequences, ModelRunner& runner, ThreadTeam& team,
             const kernels::Kernels& kernels, const Utf8Rule* utf8_rule,
             Scheduler& scheduler, StepStats& stats);

  // Adds the requests that have no segment left to `ended`. The scheduler has
  // already finished their segments.
  void Run(const std::vector<Segment*>& segments,
           const std::function<MonotonicTime()>& now,
           std::vector<LiveRequest*>& ended);

 private:
  struct Row {  // of entries_, by the same index
    Segment* segment;
    Sequence* sequence;
    int32_t first_wanted;  // those of the row, in wanted_
    int32_t num_wanted;
  };

  void AddRows(Segment& segment);
  void AddRow(Segment& segment, int32_t beam);
  LiveTokens Live(const Sequence& sequence) const;
  void AskAlignment(const Request& request, Sequence& sequence);
  void Choose(size_t row, DecodingScratch& scratch);
  void Advance(Segment& segment, const ChosenToken& chosen);
  void AdvanceBeams(Segment& segment, size_t first_row);
  std::optional<FinishReason> ReasonToEnd(const Segment& segment,
                                          absl::Span<const int32_t> tokens,
                                          int32_t next) const;
  void SendAgreed(Segment& segment);
  void Send(Segment& segment, absl::Span<const int32_t> tokens);
  void RecordToken(Segment& segment);
  void Finish(Segment& segment, std::vector<Hypothesis> hypotheses);

  ModelRunner& runner_;
  ThreadTeam& team_;
  const kernels::Kernels& kernels_;
  const Utf8Rule* const utf8_rule_;
  Scheduler& scheduler_;
  StepStats& stats_;
  const int32_t max_ranked_;  // candidates per beam

  std::vector<DecodeEntry> entries_;
  std::vector<Row> rows_;
  std::vector<float> logits_;             // [max_sequences, vocab_size]
  std::vector<ChosenToken> chosen_;       // [max_sequences]
  std::vector<ChosenToken> ranked_;       // [max_sequences, max_ranked_]
  std::vector<int32_t> num_ranked_;       // [max_sequences]
  std::vector<DecodingScratch> scratch_;  // one per member of the team
  std::vector<ChosenToken> wanted_;       // that constraints ask for, by row
  std::vector<int32_t> next_tokens_;      // scratch for AddRow()
  std::vector<BeamStep> candidates_;      // of one segment
  std::vector<BlockCopy> copies_;         // of the step
  MonotonicTime now_;                     // when the tokens were chosen
  std::vector<LiveRequest*>* ended_ = nullptr;
};

}  // namespace sheaf
