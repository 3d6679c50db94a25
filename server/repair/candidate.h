// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/request.h"
#include "server/repair/repair_plan.h"
#include "server/repair/segment_check.h"
#include "server/repair/segment_report.h"
#include "server/repair/trial.h"
#include "text/alignment.h"
#include "text/checks/text_edits.h"

namespace sheaf {

// What the checks of a translation found.
struct Verdict {
  bool has_spans = true;    // each protected span, as often as the source
  bool is_restored = true;  // has the originals of all stand-ins
  bool has_numbers = true;  // each number, and no others

  bool has_kept() const { return has_spans && is_restored; }
  bool is_suspicious() const { return false; }
};

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
  Verdict verdict;

  // A stop sequence ended it, so that nothing is expected of it.
  bool is_stopped() const {
    return finish_reason == FinishReason::kStopSequence;
  }
};

// The candidates of a trial that has been decoded, best hypothesis first; at
// least one. Puts back what can be put back by alignment.
std::vector<Candidate> ReadCandidates(const RepairPlan& plan,
                                      const SegmentPlan& segment, Trial trial);

// Whether `other` is better than what an earlier trial gave.
bool IsBetter(const Candidate& other, const Candidate& best);

}  // namespace sheaf
