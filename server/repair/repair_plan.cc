// SPDX-License-Identifier: Apache-2.0

#include "server/repair/repair_plan.h"

namespace sheaf {

int64_t BytesOf(const RepairPlan& plan) {
  size_t bytes = plan.text.size() + plan.request_text.size() +
                 plan.sources.size() * sizeof(TextRange) +
                 plan.segments.size() * sizeof(void*);
  for (const std::unique_ptr<const SegmentPlan>& segment : plan.segments) {
    if (segment == nullptr) continue;
    bytes += sizeof(SegmentPlan) + segment->tags.size() * sizeof(InlineTag) +
             (segment->spans.size() + segment->copied.size() +
              segment->kept.size()) *
                 sizeof(TextRange) +
             segment->signs.size() * sizeof(SpanReplacement) +
             segment->places.size() * sizeof(CodePointRange);
    for (const SourceTerm& term : segment->terms) {
      bytes += sizeof(SourceTerm) + term.forms.size() * sizeof(TargetForm);
      for (const TargetForm& form : term.forms) bytes += form.text.size();
    }
  }
  return static_cast<int64_t>(bytes);
}

}  // namespace sheaf
