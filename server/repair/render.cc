// SPDX-License-Identifier: Apache-2.0

#include "server/repair/render.h"

#include <utility>

#include "text/markup/place_tags.h"

namespace sheaf {

Rendered Render(const RepairPlan& plan, const SegmentPlan& segment,
                Candidate candidate) {
  Rendered out;
  out.part.tokens = std::move(candidate.tokens);
  out.part.score = candidate.score;
  out.part.finish_reason = candidate.finish_reason;
  if (plan.format == TextFormat::kPlain) {
    out.part.text = std::move(candidate.text.text);
    if (plan.has_alignments) {
      out.alignment = std::move(candidate.text.alignment);
    }
    return out;
  }
  out.part.text = PlaceTags({.source = plan.TextOf(segment),
                             .tags = segment.tags,
                             .kept = segment.spans,
                             .target = candidate.text.text,
                             .alignment = &candidate.text.alignment,
                             .format = plan.format});
  return out;
}

}  // namespace sheaf
