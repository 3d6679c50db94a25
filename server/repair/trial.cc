// SPDX-License-Identifier: Apache-2.0

#include "server/repair/trial.h"

#include <utility>

#include "text/checks/cut_at_spans.h"
#include "text/source_encoder.h"

namespace sheaf {
namespace {

TrialPart WholePart(absl::string_view text) {
  TrialPart part;
  part.range = {0, text.size()};
  part.source.Keep(text, part.range);
  return part;
}

// Encodes the part's source. Returns false if it is too long for the model.
bool Encode(const RepairPlan& plan, TrialPart& part) {
  part.ids =
      EncodeSource(*plan.source_tokenizer, plan.prompt, part.source.text());
  return static_cast<int64_t>(part.ids.size()) <= plan.max_source_tokens;
}

// Parts with these ranges. A part that is too long is left out, so that it is
// copied.
Trial PartsOf(const RepairPlan& plan, absl::string_view text, Method method,
              absl::Span<const TextRange> ranges) {
  Trial trial = {method, {}};
  for (const TextRange& range : ranges) {
    TrialPart part;
    part.range = range;
    const absl::string_view own = Slice(text, range);
    part.source.Keep(own, {0, own.size()});
    if (Encode(plan, part)) trial.parts.push_back(std::move(part));
  }
  return trial;
}

}  // namespace

std::optional<Trial> MakeTrial(const RepairPlan& plan,
                               const SegmentPlan& segment, Method method) {
  const absl::string_view text = plan.TextOf(segment);
  switch (method) {
    case Method::kAsIs:
      return Trial{method, {WholePart(text)}};
    case Method::kOtherSearch: {
      Trial trial = {method, {WholePart(text)}};
      if (!Encode(plan, trial.parts.front())) return std::nullopt;
      return trial;
    }
    case Method::kCut:
      return PartsOf(plan, text, method, CutAtSpans(text, segment.spans));
    case Method::kSentenceCase:
    case Method::kStandIns:
    case Method::kHalves:
      break;
  }
  return std::nullopt;
}

}  // namespace sheaf
