// SPDX-License-Identifier: Apache-2.0

#include "server/repair/trial.h"

#include <utility>

#include "absl/strings/match.h"
#include "server/repair/term_constraints.h"
#include "text/checks/cut_at_spans.h"
#include "text/checks/unknown_characters.h"
#include "text/source_encoder.h"
#include "text/utf8.h"

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
  Trial trial = {method, std::vector<TrialPart>(1), nullptr};
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
  Trial trial = {method, {}, nullptr};
  for (const TextRange& range : ranges) {
    TrialPart part;
    part.range = range;
    part.source = FirstSource(Slice(text, range), /*unknown=*/{});
    if (Encode(plan, part)) trial.parts.push_back(std::move(part));
  }
  return trial;
}

// Two parts of a text, cut before a word, after clause punctuation if there is
// some in the middle half. Empty if either would have no letter.
std::vector<TextRange> Halves(absl::string_view text,
                              absl::Span<const TextRange> kept) {
  const size_t middle = text.size() / 2;
  const auto distance = [&](size_t at) {
    return at < middle ? middle - at : at - middle;
  };
  size_t best = 0;
  bool is_best_after_clause = false;
  size_t next_kept = 0;
  for (size_t at = 1; at < text.size(); ++at) {
    while (next_kept < kept.size() && kept[next_kept].end <= at) ++next_kept;
    const bool is_kept = next_kept < kept.size() && kept[next_kept].begin < at;
    if (text[at - 1] != ' ' || is_kept) continue;
    const bool is_after_clause = at > 1 &&
                                 absl::StrContains(",;:", text[at - 2]) &&
                                 2 * distance(at) <= middle;
    if (is_after_clause < is_best_after_clause) continue;
    const bool is_nearer = distance(at) < distance(best);
    if (is_nearer || is_after_clause > is_best_after_clause) best = at;
    is_best_after_clause |= is_after_clause;
  }
  const std::vector<TextRange> halves = {Trim(text, {0, best}),
                                         Trim(text, {best, text.size()})};
  for (const TextRange& half : halves) {
    if (!HasLetter(Slice(text, half))) return {};
  }
  return halves;
}

// The whole segment with this source, and with its terms as constraints.
std::optional<Trial> WithTerms(const RepairPlan& plan,
                               const SegmentPlan& segment, Method method,
                               StandInSource source) {
  std::shared_ptr<const ConstraintSet> constraints =
      MakeTermConstraints(plan, segment.terms);
  if (constraints == nullptr) return std::nullopt;
  std::optional<Trial> trial =
      Whole(plan, plan.TextOf(segment), method, std::move(source));
  if (trial.has_value()) trial->constraints = std::move(constraints);
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
    case Method::kTerms:
      return WithTerms(plan, segment, method,
                       FirstSource(text, segment.unknown));
    case Method::kTermsAndStandIns:
      if (segment.kept.empty()) return std::nullopt;
      return WithTerms(
          plan, segment, method,
          ReplaceSpans(text, segment.kept, StandInKind::kUnderscores));
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
    case Method::kHalves: {
      Trial trial = PartsOf(plan, text, method, Halves(text, segment.kept));
      if (trial.parts.size() < 2) return std::nullopt;
      return trial;
    }
  }
  return std::nullopt;
}

}  // namespace sheaf
