// SPDX-License-Identifier: Apache-2.0

#include "server/repair/trial.h"

#include <utility>

#include "text/checks/cut_at_spans.h"
#include "text/checks/unknown_characters.h"
#include "text/source_encoder.h"

namespace sheaf {
namespace {

// Encodes the part's source. Returns false if it is too long for the model.
bool Encode(const RepairPlan& plan, TrialPart& part) {
  part.ids = EncodeSource(*plan.source_tokenizer, plan.prompt,
                          part.source.source.text());
  return static_cast<int64_t>(part.ids.size()) <= plan.max_source_tokens;
}

// The whole segment with this source.
std::optional<Trial> Whole(const RepairPlan& plan, absl::string_view text,
                           Method method, StandInSource source) {
  Trial trial = {method, std::vector<TrialPart>(1)};
  TrialPart& part = trial.parts.front();
  part.range = {0, text.size()};
  part.source = std::move(source);
  if (method != Method::kAsIs && !Encode(plan, part)) return std::nullopt;
  return trial;
}

// These ranges of the segment. One that is too long is left out, so that it is
// copied.
Trial PartsOf(const RepairPlan& plan, absl::string_view text, Method method,
              absl::Span<const TextRange> ranges) {
  Trial trial = {method, {}};
  for (const TextRange& range : ranges) {
    TrialPart part;
    part.range = range;
    part.source = FirstSource(Slice(text, range), /*unknown=*/{});
    if (Encode(plan, part)) trial.parts.push_back(std::move(part));
  }
  return trial;
}

}  // namespace

StandInSource FirstSource(absl::string_view text,
                          absl::Span<const TextRange> unknown) {
  if (!unknown.empty()) {
    return ReplaceUnknown(text, unknown, StandInKind::kUnderscores);
  }
  StandInSource source;
  source.source.Keep(text, {0, text.size()});
  return source;
}

std::optional<Trial> MakeTrial(const RepairPlan& plan,
                               const SegmentPlan& segment, Method method) {
  const absl::string_view text = plan.TextOf(segment);
  switch (method) {
    case Method::kAsIs:
    case Method::kOtherSearch:
      return Whole(plan, text, method, FirstSource(text, segment.unknown));
    case Method::kStandIns:
      return Whole(plan, text, method,
                   ReplaceSpans(text, segment.kept, StandInKind::kUnderscores));
    case Method::kOtherStandIns:
      return Whole(plan, text, method,
                   ReplaceSpans(text, segment.kept, StandInKind::kIdentifier));
    case Method::kCut:
      return PartsOf(plan, text, method, CutAtSpans(text, segment.kept));
    case Method::kSentenceCase:
      return Whole(
          plan, text, method,
          {ToSentenceCase(text, plan.source_language, segment.kept), {}});
    case Method::kHalves:
      break;
  }
  return std::nullopt;
}

}  // namespace sheaf
