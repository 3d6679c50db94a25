// SPDX-License-Identifier: Apache-2.0

#include "server/repair/render.h"

#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "text/checks/kept_spans.h"
#include "text/markup/place_tags.h"

namespace sheaf {
namespace {

// Where the protected spans stand in a translation, without those that have
// tags in the source.
std::vector<TextRange> WholeRanges(const RepairPlan& plan,
                                   const SegmentPlan& segment,
                                   absl::string_view target) {
  std::vector<TextRange> spans;
  for (const TextRange& span : segment.spans) {
    const bool has_tag =
        absl::c_any_of(segment.tags, [&span](const InlineTag& tag) {
          return span.begin < tag.offset && tag.offset < span.end;
        });
    if (!has_tag) spans.push_back(span);
  }
  std::vector<TextRange> whole;
  if (segment.tags.empty() || spans.empty()) return whole;
  const SpanTexts texts(plan.TextOf(segment), spans);
  for (const SpanTexts::Occurrence& occurrence : texts.FindIn(target)) {
    whole.push_back(occurrence.range);
  }
  return whole;
}

}  // namespace

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
  const std::vector<TextRange> whole =
      WholeRanges(plan, segment, candidate.text.text);
  std::vector<TextRange> places;
  out.part.text =
      PlaceTags({.source = plan.TextOf(segment),
                 .tags = segment.tags,
                 .kept = segment.spans,
                 .target = candidate.text.text,
                 .alignment = &candidate.text.alignment,
                 .format = plan.format,
                 .whole = whole,
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
