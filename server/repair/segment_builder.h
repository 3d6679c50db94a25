// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/token_lists.h"
#include "server/gaps.h"
#include "server/repair/repair_plan.h"
#include "text/checks/protected_spans.h"
#include "text/markup/markup.h"
#include "text/segmenter.h"
#include "text/terms/glossary.h"
#include "text/terms/term_forms.h"
#include "text/tokenizer.h"

namespace sheaf {

// What a translation request asks for in addition to the text of its answer.
struct KeepOptions {
  TextFormat format = TextFormat::kPlain;
  bool protects_spans = true;
  DoNotTranslate strings;                     // in addition
  std::shared_ptr<const Glossary> own_terms;  // of the request; null: none
  std::shared_ptr<const Glossary> glossary;   // of the server; null: none
  std::string target_language;                // BCP 47
  bool may_repair = true;                     // RepairPlan::may_repair
  bool has_reports = false;
  bool has_alignments = false;
};

// The segments of a translation, the layout between them, and the plans of
// those in which something must survive.
struct BuiltSegments {
  TokenLists sources;
  Gaps gaps;  // escaped and with their tags
  CopiedSentences copied;
  // [sources]; null: none.
  std::vector<std::unique_ptr<const SegmentPlan>> plans;
  std::string text;               // of all segments
  std::vector<TextRange> ranges;  // [sources], in `text`
  bool needs_alignment = false;
};

// Cuts the text of a translation into segments, passage by passage.
class SegmentBuilder {
 public:
  // The arguments must outlive the builder. `tokenizer` is that of `encode`.
  SegmentBuilder(const KeepOptions& keep, const TranslationSplit& split,
                 EncodeFunction encode, const Tokenizer& tokenizer);

  // Tells where a range of a passage's text stands in the request's text.
  // Called with ranges that ascend.
  using PlaceOf = absl::FunctionRef<CodePointRange(TextRange range)>;

  // Appends a part that is copied as it is.
  void AddRaw(absl::string_view raw) { gap_.append(raw.data(), raw.size()); }

  // Appends a passage. Returns the first error of `encode`.
  absl::Status AddPassage(const Passage& passage, PlaceOf place_of);

  BuiltSegments Finish();

 private:
  struct Cut {  // a passage's segments
    std::vector<TextRange> segments;
    TokenLists sources;
    CopiedSentences copied;
  };
  absl::StatusOr<Cut> CutBetween(absl::string_view text, absl::string_view read,
                                 absl::Span<const TextRange> dividers) const;
  absl::StatusOr<Cut> CutPassage(absl::string_view text,
                                 absl::Span<const TextRange> spans) const;
  absl::Status FindKept(const Passage& passage, std::vector<TextRange>& spans,
                        std::vector<TextRange>& unknown,
                        std::vector<SpanReplacement>& signs) const;
  std::vector<SourceTerm> TermsOf(absl::string_view segment,
                                  absl::Span<const TextRange> spans) const;
  void AddCopied(absl::string_view text, absl::Span<const InlineTag> tags);
  void SetPlace(absl::string_view text, TextRange range, PlaceOf place_of,
                SegmentPlan& plan) const;
  std::unique_ptr<SegmentPlan> PlanOf(absl::string_view segment,
                                      std::vector<TextRange> spans,
                                      const std::vector<TextRange>& unknown,
                                      std::vector<InlineTag> tags);
  absl::Status AddSource(absl::string_view segment,
                         absl::Span<const int32_t> source,
                         std::vector<SpanReplacement> signs, SegmentPlan* plan);

  const KeepOptions& keep_;
  const TranslationSplit& split_;
  const EncodeFunction encode_;
  const Tokenizer& tokenizer_;
  std::string gap_;  // that follows the last segment
  BuiltSegments built_;
};

}  // namespace sheaf
