// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/request.h"
#include "server/repair/repair_plan.h"
#include "text/checks/stand_ins.h"
#include "text/marks.h"

namespace sheaf {

// A way to translate a segment.
enum class Method {
  kAsIs,          // except for characters that the model cannot read
  kSentenceCase,  // in sentence case, and the translation in capitals again
  kStandIns,      // with stand-ins for what must be kept
  kOtherStandIns,
  kCut,    // the parts between what must be kept, each alone
  kTerms,  // as it is, with terms as constraints
  kTermsAndStandIns,
  kOtherSearch,  // as it is, with RepairPlan::other_search
  kHalves,       // two parts, each alone
};

// A part of a segment that is decoded alone.
struct TrialPart {
  TextRange range;       // of the segment
  StandInSource source;  // of the range: what the model reads
  std::vector<int32_t> ids;
  std::vector<Hypothesis> hypotheses;  // once it is decoded
};

// What the model reads first in place of the segment's text.
StandInSource FirstSource(absl::string_view text,
                          absl::Span<const TextRange> unknown);

// A segment that is translated by a method. The text before, between and after
// its parts is copied.
struct Trial {
  Method method = Method::kAsIs;
  std::vector<TrialPart> parts;                      // in order, disjoint
  std::shared_ptr<const ConstraintSet> constraints;  // of kTerms
};

// Absent if the method has no use for the segment, or if what it would decode
// is longer than the model's source. The first trial, kAsIs, has a part without
// ids, because it is decoded already. kCut is never absent, but may have no
// parts.
std::optional<Trial> MakeTrial(const RepairPlan& plan,
                               const SegmentPlan& segment, Method method);

}  // namespace sheaf
