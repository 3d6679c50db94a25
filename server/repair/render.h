// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "server/answer_part.h"
#include "server/repair/candidate.h"
#include "server/repair/repair_plan.h"
#include "text/alignment.h"

namespace sheaf {

// A candidate as the client receives it: in markup, escaped and with the
// segment's tags.
struct Rendered {
  FinishedPart part;
  // From bytes of part.text to bytes of the segment. Empty unless the plan has
  // alignments.
  TextAlignment alignment;
};
Rendered Render(const RepairPlan& plan, const SegmentPlan& segment,
                Candidate candidate);

}  // namespace sheaf
