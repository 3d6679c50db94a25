// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/request.h"
#include "server/answer_part.h"
#include "server/repair/candidate.h"
#include "server/repair/repair_plan.h"
#include "server/repair/segment_check.h"
#include "server/repair/segment_report.h"
#include "server/repair/trial.h"

namespace sheaf {

// A decode of a segment in addition to its first.
struct RepairDecode {
  int32_t number = 0;  // 1, 2, ... within the segment
  std::vector<int32_t> source;
  bool is_other_search = false;  // with RepairPlan::other_search
  // Set: with RepairPlan::term_search; null: none.
  std::shared_ptr<const ConstraintSet> constraints;
};

// What a held segment gives the answer.
struct HeldResult {
  FinishedPart best;
  // If several hypotheses are asked for: the best and those others of the first
  // decode that keep what must survive.
  std::vector<FinishedPart> hypotheses;
  float mean_logprob = 0;
  int32_t num_input_tokens = 0;   // of all decodes except the first
  int32_t num_output_tokens = 0;  // of the best hypotheses of all decodes
  std::vector<SegmentWarning> warnings;
  // From bytes of best.text to bytes of the segment; empty if not asked for.
  TextAlignment alignment;
  SegmentCheckCounts checks;
};

// One segment from its first decode to its final text.
//
// Each round tries a method (trial.h) and keeps the better one of its candidate
// and the best so far. The methods come in this order, each at most once:
//   1. kAsIs, the first decode. What is lost may be put back by alignment,
//      which is used if kStandIns does no better
//   2. kSentenceCase, if the segment is in capitals. It is taken unless its
//      warnings are worse
//   3. kStandIns, kOtherStandIns, then kCut, while what must be kept is not.
//      kCut always keeps it
//   4. kTerms, then kTermsAndStandIns, while the translation of a term is
//      missing
//   5. kOtherSearch, if numbers differ or the translation is suspicious
//   6. kHalves, if it is still suspicious
// There are at most kMaxRounds after the first, and none if the plan allows no
// decodes, or if a stop sequence ended the first decode.
//
// Not thread-safe: the delivery thread owns it.
class SegmentRepair {
 public:
  static constexpr int32_t kMaxRounds = 4;

  // The arguments must outlive this.
  SegmentRepair(const RepairPlan& plan, const SegmentPlan& segment);

  // Takes the result of a decode: 0 is the first one. Returns the decodes that
  // have become necessary. `hypotheses` has at least one element, best first.
  std::vector<RepairDecode> Take(int32_t decode,
                                 const std::vector<Hypothesis>& hypotheses);

  bool is_final() const { return is_final_; }
  // No decode that has become necessary will end. REQUIRES: the first has.
  void GiveUp();

  // REQUIRES: is_final(). Called once.
  HeldResult TakeResult();

 private:
  void Judge();
  std::optional<Method> NextMethod() const;
  std::vector<RepairDecode> Next();
  std::vector<RepairDecode> Begin(Trial trial);
  bool WasTried(Method method) const;
  SegmentCheck SpanCheck() const;
  SegmentCheck TermCheck() const;
  void CountChecks(SegmentCheckCounts& checks) const;

  const RepairPlan& plan_;
  const SegmentPlan& segment_;
  Trial trial_;               // of the round
  int32_t first_decode_ = 0;  // of the round
  int32_t num_left_ = 1;      // decodes of the round
  int32_t num_rounds_ = 0;    // after the first
  int32_t num_decodes_ = 1;
  std::vector<Method> tried_;
  std::optional<Candidate> best_;
  std::vector<Candidate> alternatives_;  // of the first decode
  // What the checks of the first decode found.
  bool had_other_numbers_ = false;
  bool was_suspicious_ = false;
  int32_t num_input_tokens_ = 0;
  int32_t num_output_tokens_ = 0;
  bool is_final_ = false;
};

// The result of a plain segment without a plan, with this source, if nothing is
// wrong with its translation. Otherwise a SegmentRepair takes it.
std::optional<HeldResult> ReadPlain(const RepairPlan& plan, TextRange source,
                                    const Hypothesis& translation);

// Checks a segment without a plan, with this source, whose translation has been
// sent, so that nothing can be repaired any more.
SegmentCheckCounts CheckSent(const RepairPlan& plan, TextRange source,
                             const Hypothesis& translation);

}  // namespace sheaf
