// SPDX-License-Identifier: Apache-2.0

#include "server/repair/segment_builder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "server/repair/trial.h"
#include "text/checks/unknown_characters.h"
#include "text/markup/place_tags.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// A span of more bytes is copied between two segments, because it takes too
// much of a source.
constexpr size_t kMaxSpanBytes = 256;
constexpr char kHiddenByte = 'x';

// The spans that lie in `range`, with offsets from its beginning.
std::vector<TextRange> Within(absl::Span<const TextRange> spans,
                              TextRange range) {
  const auto first = std::lower_bound(
      spans.begin(), spans.end(), range.begin,
      [](const TextRange& span, size_t begin) { return span.begin < begin; });
  std::vector<TextRange> within;
  for (auto span = first; span != spans.end() && span->end <= range.end;
       ++span) {
    within.push_back({span->begin - range.begin, span->end - range.begin});
  }
  return within;
}

// The spans that segments cut, or that are too long for one.
std::vector<TextRange> CutSpans(absl::Span<const TextRange> spans,
                                absl::Span<const TextRange> segments) {
  std::vector<TextRange> out;
  size_t i = 0;
  for (const TextRange& span : spans) {
    while (i < segments.size() && segments[i].end <= span.begin) ++i;
    if (i == segments.size()) break;
    const bool is_apart = span.end <= segments[i].begin;
    const bool is_within =
        segments[i].begin <= span.begin && span.end <= segments[i].end;
    if (is_apart || (is_within && span.size() <= kMaxSpanBytes)) continue;
    out.push_back(span);
  }
  return out;
}

// The text of the same size in which no sentence ends within a span.
std::string WithHiddenSpans(absl::string_view text,
                            absl::Span<const TextRange> spans) {
  std::string hidden(text);
  for (const TextRange& span : spans) {
    // The first character decides whether a sentence may begin here.
    const size_t kept = absl::ascii_isalnum(hidden[span.begin]) ? 1 : 0;
    hidden.replace(span.begin + kept, span.size() - kept, span.size() - kept,
                   kHiddenByte);
  }
  return hidden;
}

// Sorts the ranges and joins those that overlap.
std::vector<TextRange> Joined(std::vector<TextRange> ranges) {
  std::sort(
      ranges.begin(), ranges.end(),
      [](const TextRange& a, const TextRange& b) { return a.begin < b.begin; });
  std::vector<TextRange> out;
  for (const TextRange& range : ranges) {
    if (!out.empty() && range.begin < out.back().end) {
      out.back().end = std::max(out.back().end, range.end);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

std::vector<TextRange> Together(absl::Span<const TextRange> a,
                                absl::Span<const TextRange> b) {
  std::vector<TextRange> all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

// Those of `ranges` that do not overlap with `others`. Both are in order and
// disjoint.
std::vector<TextRange> Without(absl::Span<const TextRange> ranges,
                               absl::Span<const TextRange> others) {
  std::vector<TextRange> out;
  size_t i = 0;
  for (const TextRange& range : ranges) {
    while (i < others.size() && others[i].end <= range.begin) ++i;
    if (i == others.size() || range.end <= others[i].begin) {
      out.push_back(range);
    }
  }
  return out;
}

// The signs that lie in `range` and outside of `spans`, with offsets from its
// beginning.
std::vector<SpanReplacement> SignsWithin(
    absl::Span<const SpanReplacement> signs, TextRange range,
    absl::Span<const TextRange> spans) {
  auto sign = std::lower_bound(signs.begin(), signs.end(), range.begin,
                               [](const SpanReplacement& each, size_t begin) {
                                 return each.range.begin < begin;
                               });
  std::vector<SpanReplacement> within;
  size_t i = 0;
  for (; sign != signs.end() && sign->range.end <= range.end; ++sign) {
    const TextRange own = {sign->range.begin - range.begin,
                           sign->range.end - range.begin};
    while (i < spans.size() && spans[i].end <= own.begin) ++i;
    if (i < spans.size() && spans[i].begin < own.end) continue;
    within.push_back({own, sign->text});
  }
  return within;
}

// The spans that divide sentences.
std::vector<TextRange> BreaksOf(absl::string_view text,
                                absl::Span<const TextRange> spans) {
  std::vector<TextRange> breaks;
  for (const TextRange& span : spans) {
    if (IsBreak(Slice(text, span))) breaks.push_back(span);
  }
  return breaks;
}

// Whether `segment` has a decimal digit outside of `spans`.
bool HasNumbersBetween(absl::string_view segment,
                       absl::Span<const TextRange> spans) {
  size_t i = 0;
  for (size_t at = 0; at < segment.size();) {
    if (i < spans.size() && at == spans[i].begin) {
      at = spans[i++].end;
      continue;
    }
    if (IsNumber(NextCharacter(segment, at))) return true;
  }
  return false;
}

// Whether `segment` has a letter outside of `spans`.
bool HasLetterBetween(absl::string_view segment,
                      absl::Span<const TextRange> spans) {
  size_t begin = 0;
  for (const TextRange& span : spans) {
    if (HasLetter(segment.substr(begin, span.begin - begin))) return true;
    begin = span.end;
  }
  return HasLetter(segment.substr(begin));
}

}  // namespace

SegmentBuilder::SegmentBuilder(const KeepOptions& keep,
                               const TranslationSplit& split,
                               EncodeFunction encode,
                               const Tokenizer& tokenizer)
    : keep_(keep), split_(split), encode_(encode), tokenizer_(tokenizer) {}

// Cuts `read`, which has the layout of `text`, in the parts between `dividers`.
absl::StatusOr<SegmentBuilder::Cut> SegmentBuilder::CutBetween(
    absl::string_view text, absl::string_view read,
    absl::Span<const TextRange> dividers) const {
  const auto original = [&](absl::string_view part) {
    return part.empty() ? part
                        : text.substr(part.data() - read.data(), part.size());
  };
  TranslationSplit split = split_;
  if (split.is_copied != nullptr) {
    split.is_copied = [&](absl::string_view sentence) {
      return split_.is_copied(original(sentence));
    };
  }
  Cut cut;
  size_t begin = 0;
  for (size_t i = 0; i <= dividers.size(); ++i) {
    const size_t end = i == dividers.size() ? text.size() : dividers[i].begin;
    absl::StatusOr<SegmentedText> segmented = SplitForTranslation(
        read.substr(begin, end - begin), split,
        [&](absl::string_view segment) { return encode_(original(segment)); });
    if (!segmented.ok()) return segmented.status();
    for (absl::string_view segment : segmented->segments) {
      const size_t at = segment.data() - read.data();
      cut.segments.push_back({at, at + segment.size()});
    }
    cut.sources.Append(segmented->sources);
    cut.copied.without_letter += segmented->copied.without_letter;
    cut.copied.in_target_language += segmented->copied.in_target_language;
    if (i < dividers.size()) begin = dividers[i].end;
  }
  return cut;
}

// Cuts the text so that every span lies in one segment or between segments.
absl::StatusOr<SegmentBuilder::Cut> SegmentBuilder::CutPassage(
    absl::string_view text, absl::Span<const TextRange> spans) const {
  const std::vector<TextRange> breaks = BreaksOf(text, spans);
  absl::StatusOr<Cut> cut = CutBetween(text, text, breaks);
  if (!cut.ok() || CutSpans(spans, cut->segments).empty()) return cut;
  // First, no sentence ends in a span. Then those that are cut because they
  // are too long, or because no space is near, are between segments. At last
  // all are.
  const std::string hidden = WithHiddenSpans(text, spans);
  std::vector<TextRange> dividers = breaks;
  for (int i = 0; i < 2; ++i) {
    cut = CutBetween(text, hidden, dividers);
    if (!cut.ok()) return cut;
    const std::vector<TextRange> still_cut = CutSpans(spans, cut->segments);
    if (still_cut.empty()) return cut;
    dividers = Joined(Together(breaks, still_cut));
  }
  return CutBetween(text, text, spans);
}

absl::Status SegmentBuilder::AddPassage(const Passage& passage,
                                        PlaceOf place_of) {
  const absl::string_view text = passage.text;
  std::vector<TextRange> spans, unknown;
  std::vector<SpanReplacement> signs;
  absl::Status status = FindKept(passage, spans, unknown, signs);
  if (!status.ok()) return status;
  absl::StatusOr<Cut> cut = CutPassage(text, spans);
  if (!cut.ok()) return cut.status();
  DividedTags tags;
  if (!passage.tags.empty()) tags = DivideTags(passage, cut->segments);
  tags.segments.resize(cut->segments.size());
  tags.gaps.resize(cut->segments.size() + 1);
  built_.copied.without_letter += cut->copied.without_letter;
  built_.copied.in_target_language += cut->copied.in_target_language;
  size_t begin = 0;
  for (size_t i = 0; i < cut->segments.size(); ++i) {
    const TextRange range = cut->segments[i];
    AddCopied(Slice(text, {begin, range.begin}), tags.gaps[i]);
    begin = range.end;
    std::vector<TextRange> own = Within(spans, range);
    const absl::string_view segment = Slice(text, range);
    if (!own.empty() && !HasLetterBetween(segment, own)) {
      AddCopied(segment, tags.segments[i].tags);
      ++built_.copied.without_letter;
      continue;
    }
    built_.gaps.push_back(std::exchange(gap_, ""));
    built_.ranges.push_back(
        {built_.text.size(), built_.text.size() + segment.size()});
    built_.text.append(segment.data(), segment.size());
    std::vector<SpanReplacement> own_signs = SignsWithin(signs, range, own);
    std::unique_ptr<SegmentPlan> plan =
        PlanOf(segment, std::move(own), Within(unknown, range),
               std::move(tags.segments[i].tags));
    status =
        AddSource(segment, cut->sources[i], std::move(own_signs), plan.get());
    if (!status.ok()) return status;
    if (plan != nullptr) SetPlace(text, range, place_of, *plan);
    built_.plans.push_back(std::move(plan));
  }
  AddCopied(Slice(text, {begin, text.size()}), tags.gaps.back());
  return absl::OkStatus();
}

// The parts of a passage that must stand in its translation as they are, those
// that the model cannot spell, and the signs that it reads as others.
absl::Status SegmentBuilder::FindKept(
    const Passage& passage, std::vector<TextRange>& spans,
    std::vector<TextRange>& unknown,
    std::vector<SpanReplacement>& signs) const {
  absl::Status status;
  // Lets other texts have a turn.
  const auto is_wanted = [&] {
    status.Update(encode_("").status());
    return status.ok();
  };
  spans = FindProtectedSpans(
      passage.text,
      {.has_patterns = keep_.protects_spans, .strings = &keep_.strings},
      is_wanted);
  if (!passage.kept.empty()) spans = Joined(Together(spans, passage.kept));
  if (keep_.may_repair) {
    unknown = FindUnknown(passage.text, tokenizer_, is_wanted);
    signs = FindPlainSigns(passage.text, tokenizer_, is_wanted);
  }
  return status;
}

// Appends a part of a passage to the gap.
void SegmentBuilder::AddCopied(absl::string_view text,
                               absl::Span<const InlineTag> tags) {
  if (keep_.format == TextFormat::kPlain) {
    gap_.append(text.data(), text.size());
  } else {
    gap_ += WriteCopied(text, tags, keep_.format);
  }
}

// Appends what the model reads for a segment.
absl::Status SegmentBuilder::AddSource(absl::string_view segment,
                                       absl::Span<const int32_t> source,
                                       std::vector<SpanReplacement> signs,
                                       SegmentPlan* plan) {
  const absl::Span<const TextRange> copied =
      plan == nullptr ? absl::Span<const TextRange>() : plan->copied;
  if (!copied.empty() || !signs.empty()) {
    const StandInSource first = FirstSource(segment, copied, signs);
    absl::StatusOr<EncodedSource> encoded = encode_(first.source.text());
    if (!encoded.ok()) return encoded.status();
    if (encoded->num_tokens <= split_.max_tokens) {
      built_.sources.push_back(encoded->ids);
      if (plan != nullptr) plan->signs = std::move(signs);
      return absl::OkStatus();
    }
    if (plan != nullptr) {
      plan->copied.clear();
      plan->kept = plan->spans;
    }
  }
  built_.sources.push_back(source);
  return absl::OkStatus();
}

// The terms outside of the protected spans.
std::vector<SourceTerm> SegmentBuilder::TermsOf(
    absl::string_view segment, absl::Span<const TextRange> spans) const {
  if (keep_.own_terms == nullptr && keep_.glossary == nullptr) return {};
  std::vector<SourceTerm> terms =
      FindTerms(segment, {keep_.own_terms.get(), keep_.glossary.get()},
                keep_.target_language);
  size_t i = 0;
  terms.erase(std::remove_if(terms.begin(), terms.end(),
                             [&](const SourceTerm& term) {
                               while (i < spans.size() &&
                                      spans[i].end <= term.range.begin) {
                                 ++i;
                               }
                               return i < spans.size() &&
                                      spans[i].begin < term.range.end;
                             }),
              terms.end());
  return terms;
}

// The plan of the last of built_.ranges. Null if nothing in it must survive.
std::unique_ptr<SegmentPlan> SegmentBuilder::PlanOf(
    absl::string_view segment, std::vector<TextRange> spans,
    const std::vector<TextRange>& unknown, std::vector<InlineTag> tags) {
  std::vector<TextRange> copied = Without(unknown, spans);
  std::vector<TextRange> kept = Joined(Together(spans, copied));
  const Capitals capitals = CapitalsOf(segment, split_.language, kept);
  std::vector<SourceTerm> terms = TermsOf(segment, spans);
  const bool has_plan = !spans.empty() || !copied.empty() ||
                        capitals != Capitals::kNone ||
                        HasNumbersBetween(segment, kept) || !terms.empty() ||
                        keep_.format != TextFormat::kPlain || keep_.has_reports;
  if (!has_plan) return nullptr;
  auto plan = std::make_unique<SegmentPlan>();
  plan->source = built_.ranges.back();
  built_.needs_alignment |=
      !kept.empty() || !tags.empty() || keep_.has_alignments;
  plan->copied = std::move(copied);
  plan->kept = std::move(kept);
  plan->spans = std::move(spans);
  plan->tags = std::move(tags);
  plan->capitals = capitals;
  plan->terms = std::move(terms);
  return plan;
}

void SegmentBuilder::SetPlace(absl::string_view text, TextRange range,
                              PlaceOf place_of, SegmentPlan& plan) const {
  if (!keep_.has_reports) return;
  if (!keep_.has_alignments) {
    plan.place = place_of(range);
    return;
  }
  plan.places.reserve(range.size());
  for (size_t at = range.begin; at < range.end;) {
    const size_t begin = at;
    NextCharacter(text, at);
    plan.places.resize(at - range.begin, place_of({begin, at}));
  }
  plan.place = {plan.places.front().begin, plan.places.back().end};
}

BuiltSegments SegmentBuilder::Finish() {
  built_.gaps.push_back(std::exchange(gap_, ""));
  return std::move(built_);
}

}  // namespace sheaf
