// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/request.h"
#include "server/repair/repair_plan.h"
#include "server/repair/trial.h"
#include "text/checks/judge.h"
#include "text/checks/text_edits.h"

namespace sheaf {

// A translation of a segment.
struct Candidate {
  Method method = Method::kAsIs;
  size_t rank = 0;  // of the hypothesis
  EditedText text;  // plain; aligned to the segment
  std::vector<int32_t> tokens;
  float score = 0;
  float mean_logprob = 0;
  FinishReason finish_reason = FinishReason::kEos;
  bool is_put_back = false;  // protected spans were
  bool is_restored = true;   // all stand-ins have become their originals
  int32_t num_missing_terms = 0;
  std::vector<SegmentWarning> warnings;

  bool Has(SegmentWarning warning) const;
  // Whether all that must be kept stands in it.
  bool is_whole() const {
    return is_restored && !Has(SegmentWarning::kProtectedSpan);
  }
  bool is_suspicious() const { return IsSuspicious(warnings); }
  bool is_constrained() const {
    return method == Method::kTerms || method == Method::kTermsAndStandIns;
  }
  // A stop sequence ended it, so that nothing is expected of it.
  bool is_stopped() const {
    return finish_reason == FinishReason::kStopSequence;
  }
};

// The candidates of a trial that has been decoded, best hypothesis first; at
// least one. Puts back what can be put back by alignment.
std::vector<Candidate> ReadCandidates(const RepairPlan& plan,
                                      const SegmentPlan& segment,
                                      const Trial& trial);

// Whether `other` is better than what an earlier trial gave.
bool IsBetter(const Candidate& other, const Candidate& best);

}  // namespace sheaf
