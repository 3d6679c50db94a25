// SPDX-License-Identifier: Apache-2.0

#include "server/repair/render.h"

#include <utility>
#include <vector>

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
  std::vector<TextRange> places;
  out.part.text =
      PlaceTags({.source = plan.TextOf(segment),
                 .tags = segment.tags,
                 .kept = segment.spans,
                 .target = candidate.text.text,
                 .alignment = &candidate.text.alignment,
                 .format = plan.format,
                 .places = plan.has_alignments ? &places : nullptr});
  if (!plan.has_alignments) return out;
  out.alignment = std::move(candidate.text.alignment);
  for (AlignedSpan& span : out.alignment) {
    TextRange& target = span.target;
    if (target.size() == 0) continue;
    target = {places[target.begin].begin, places[target.end - 1].end};
  }
  return out;
}

}  // namespace sheaf
