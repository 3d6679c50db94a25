// SPDX-License-Identifier: Apache-2.0

// RequestReader::Read() of requests for translations.

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/field_error.h"
#include "server/keep_options.h"
#include "server/repair/segment_builder.h"
#include "server/request_reader.h"
#include "server/term_options.h"
#include "server/text_places.h"
#include "text/line_breaks.h"
#include "text/markup/markup.h"
#include "text/segmenter.h"
#include "text/source_language.h"
#include "text/token_spans.h"

namespace sheaf {
namespace {

using absl::StatusCode;

// A decode of a repair may have a source of this length, or of that of the
// longest segment.
constexpr int64_t kMinRepairTokens = 128;
// Of a decode that is to be better than the first.
constexpr int32_t kOtherBeamSize = 4;
constexpr int32_t kOtherNgramSize = 5;
// Of a decode with terms as constraints.
constexpr int32_t kTermBeamSize = 8;

absl::StatusOr<LineBreaks> ParseLineBreaks(v1::LineBreaks line_breaks) {
  switch (line_breaks) {
    case v1::LINE_BREAKS_UNSPECIFIED:
      return LineBreaks::kAutomatic;
    case v1::LINE_BREAKS_KEEP:
      return LineBreaks::kKeep;
    case v1::LINE_BREAKS_PARAGRAPHS:
      return LineBreaks::kParagraphs;
    default:
      return FieldError(StatusCode::kInvalidArgument, "line_breaks",
                        "is %d; this server allows 0..%d",
                        static_cast<int>(line_breaks),
                        static_cast<int>(v1::LineBreaks_MAX));
  }
}

// Adds the field with which an error of FindTranslation() begins.
absl::Status WithLanguageField(const absl::Status& status) {
  for (const char* field : {"source_language", "target_language"}) {
    if (absl::StartsWith(status.message(), field)) {
      return WithField(status, field);
    }
  }
  return status;
}

// Reads markup. A text without markup is one passage.
absl::StatusOr<MarkupText> ReadMarkup(const v1::TranslateRequest& request,
                                      absl::string_view text, TextFormat format,
                                      LineBreaks line_breaks,
                                      RequestReader::IsWanted is_wanted) {
  const absl::StatusOr<MarkupOptions> options =
      ReadMarkupOptions(request, format);
  if (!options.ok()) return options.status();
  if (format == TextFormat::kPlain) {
    MarkupText out;
    out.raw = {"", ""};
    out.passages.resize(1);
    out.passages[0].text = JoinLines(request.text(), line_breaks, is_wanted);
    return out;
  }
  absl::StatusOr<MarkupText> markup =
      ParseMarkup(text, format, *options, is_wanted);
  if (!markup.ok()) return WithTextField(markup.status());
  return markup;
}

// The text of the passages, one per line.
std::string TextOf(const MarkupText& markup) {
  std::string text;
  for (const Passage& passage : markup.passages) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", passage.text);
  }
  return text;
}

// The draws of a further decode would depend on when the segment was checked.
// Null: the request's own sampling params.
std::shared_ptr<const SamplingParams> SameSearch(const SamplingParams& asked) {
  if (asked.temperature == 0) return nullptr;
  auto same = std::make_shared<SamplingParams>(asked);
  same->temperature = 0;
  return same;
}

SamplingParams OtherSearch(const SamplingParams& asked, int32_t max_beam_size) {
  SamplingParams other = asked;
  other.temperature = 0;
  other.num_hypotheses = 1;
  other.beam_size =
      std::max(asked.beam_size, std::min(kOtherBeamSize, max_beam_size));
  if (other.no_repeat_ngram_size == 0) {
    other.no_repeat_ngram_size = kOtherNgramSize;
  }
  return other;
}

SamplingParams TermSearch(const SamplingParams& asked, int32_t max_beam_size) {
  SamplingParams search = asked;
  search.temperature = 0;
  // The first hypothesis that has all terms is seldom the best.
  search.search_end = SearchEnd::kNoLiveBeamBetter;
  search.num_hypotheses = 1;
  search.beam_size =
      std::max(asked.beam_size, std::min(kTermBeamSize, max_beam_size));
  return search;
}

int64_t LongestOf(const TokenLists& sources) {
  size_t longest = 0;
  for (absl::Span<const int32_t> source : sources) {
    longest = std::max(longest, source.size());
  }
  return static_cast<int64_t>(longest);
}

}  // namespace

absl::StatusOr<PreparedRequest> RequestReader::Read(
    const v1::TranslateRequest& request, IsWanted is_wanted,
    std::shared_ptr<const Glossary> glossary) const {
  absl::Status status = CheckModel(request.model());
  if (status.ok()) status = CheckText(request.text(), is_wanted);
  if (!status.ok()) return status;
  const absl::StatusOr<LineBreaks> line_breaks =
      ParseLineBreaks(request.line_breaks());
  if (!line_breaks.ok()) return line_breaks.status();
  absl::StatusOr<KeepOptions> keep = ReadKeepOptions(request);
  if (!keep.ok()) return keep.status();
  const bool is_plain = keep->format == TextFormat::kPlain;
  auto repairs = std::make_shared<RepairPlan>();
  if (!is_plain) repairs->request_text = request.text();
  const absl::StatusOr<MarkupText> markup = ReadMarkup(
      request, repairs->request_text, keep->format, *line_breaks, is_wanted);
  if (!markup.ok()) return markup.status();
  const std::string text = is_plain ? "" : TextOf(*markup);
  if (!is_plain && !text.empty()) status = CheckText(text, is_wanted);
  if (!status.ok()) return status;
  absl::StatusOr<TextTranslation> found = FindTranslationOf(
      is_plain ? request.text() : text, model_.tasks, request.source_language(),
      request.target_language(), is_wanted);
  if (!found.ok()) return WithLanguageField(found.status());
  const Translation& translation = found->translation;
  keep->glossary = std::move(glossary);
  if (keep->glossary == nullptr) {
    absl::StatusOr<std::shared_ptr<const Glossary>> named =
        FindGlossary(request, translation.source_code, glossaries_);
    if (!named.ok()) return named.status();
    keep->glossary = *std::move(named);
  }
  const PromptTemplate prompt = TemplateOf(translation.prompt());
  absl::StatusOr<PreparedRequest> prepared =
      Prepare(request.decoding(), translation.task->defaults, prompt,
              /*has_loop_guard=*/true);
  if (!prepared.ok()) return prepared;
  SamplingParams& sampling = prepared->request.sampling;
  sampling.output_text = OutputText::kLine;
  if (!request.decoding().has_min_new_tokens()) {
    sampling.min_new_tokens = std::max(1, sampling.min_new_tokens);
  }
  absl::StatusOr<BuiltSegments> built =
      BuildSegments(request, *found, *markup, *keep, prompt, is_wanted);
  if (!built.ok()) return built.status();
  repairs->may_repair = keep->may_repair;
  // A request that says how to decode gets that search's result, unless it
  // asks.
  repairs->may_repair_all =
      keep->may_repair &&
      (request.has_repair() || request.decoding().ByteSizeLong() == 0);
  repairs->source_language = translation.source_code;
  repairs->target_language = request.target_language();
  SetSegments(*keep, prompt, *std::move(built), std::move(repairs), *prepared);
  if (found->detected) {
    prepared->plan.detected = {{*std::move(found->detected)}};
  }
  Complete(*prepared);
  return prepared;
}

absl::StatusOr<BuiltSegments> RequestReader::BuildSegments(
    const v1::TranslateRequest& request, const TextTranslation& found,
    const MarkupText& markup, const KeepOptions& keep,
    const PromptTemplate& prompt, IsWanted is_wanted) const {
  TranslationSplit split = {found.translation.source_code,
                            model_.max_source_tokens};
  if (request.copy_target_language()) {
    split.is_copied = [is_wanted, test = TargetLanguageTest(
                                      found, request.target_language())](
                          absl::string_view sentence) {
      return test.IsInTarget(sentence, is_wanted);
    };
  }
  const SourceEncoder encoder(*model_.tokenizers.source, prompt,
                              model_.max_source_tokens, is_wanted);
  const auto encode = [&](absl::string_view segment) {
    return encoder.Encode(segment);
  };
  SegmentBuilder builder(keep, split, encode, *model_.tokenizers.source);
  CodePointIndex index(request.text());
  for (size_t i = 0; i < markup.passages.size(); ++i) {
    const Passage& passage = markup.passages[i];
    builder.AddRaw(markup.raw[i]);
    JoinedPlaces joined(passage.text, request.text());
    const PassagePlaces in_markup(passage, index);
    const auto place_of = [&](TextRange range) {
      return keep.format == TextFormat::kPlain ? joined.Of(range)
                                               : in_markup.Of(range);
    };
    if (absl::Status status = builder.AddPassage(passage, place_of);
        !status.ok()) {
      return status;
    }
  }
  builder.AddRaw(markup.raw.back());
  return builder.Finish();
}

// Gives the request its segments, and the plan of their checks.
void RequestReader::SetSegments(const KeepOptions& keep,
                                const PromptTemplate& prompt,
                                BuiltSegments built,
                                std::shared_ptr<RepairPlan> repairs,
                                PreparedRequest& prepared) const {
  Request& request = prepared.request;
  request.segments = std::move(built.sources);
  prepared.plan.copied = built.copied;
  prepared.plan.gaps = std::move(built.gaps);
  if (request.segments.empty()) return;
  const bool has_plans = absl::c_any_of(
      built.plans, [](const auto& plan) { return plan != nullptr; });
  repairs->text = std::move(built.text);
  repairs->sources = std::move(built.ranges);
  repairs->segments = std::move(built.plans);
  repairs->format = keep.format;
  repairs->has_reports = keep.has_reports;
  repairs->has_alignments = keep.has_alignments;
  repairs->num_hypotheses = prepared.plan.num_hypotheses;
  repairs->source_tokenizer = model_.tokenizers.source.get();
  repairs->target_tokenizer = model_.tokenizers.target.get();
  repairs->prompt = prompt;
  // Only stand-ins make a source longer.
  repairs->max_source_tokens = LongestOf(request.segments);
  if (has_plans) {
    repairs->max_source_tokens =
        std::max(repairs->max_source_tokens,
                 std::min<int64_t>(kMinRepairTokens, model_.max_source_tokens));
  }
  repairs->same_search = SameSearch(request.sampling);
  repairs->other_search = OtherSearch(request.sampling, limits_.max_beam_size);
  repairs->term_search = TermSearch(request.sampling, limits_.max_beam_size);
  repairs->continues_word = continues_word_;
  repairs->never_tokens = model_.no_output_ids;
  repairs->never_tokens.insert(repairs->never_tokens.end(),
                               request.sampling.suppressed_tokens.begin(),
                               request.sampling.suppressed_tokens.end());
  request.is_open = has_plans && repairs->may_repair;
  request.max_segment_tokens = static_cast<int32_t>(repairs->max_source_tokens);
  if (built.needs_alignment) {
    request.wants_alignment = true;
    request.source_margins = {
        CountLeadingIds(*model_.tokenizers.source, prompt),
        static_cast<int32_t>(prompt.after.size())};
  }
  prepared.plan.repairs = std::move(repairs);
}

}  // namespace sheaf
