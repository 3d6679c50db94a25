// SPDX-License-Identifier: Apache-2.0

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "base/check.h"
#include "tests/fuzz/targets.h"
#include "tests/text/documents/fake_translation.h"
#include "text/documents/document.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

void CheckUnits(const Document& document) {
  int64_t line = 1;
  for (const DocumentUnit& unit : document.units()) {
    SHEAF_CHECK(!unit.text.empty() && IsValidUtf8(unit.text));
    SHEAF_CHECK(line <= unit.line);
    line = unit.line;
    for (const std::string& kept : unit.do_not_translate) {
      SHEAF_CHECK(!kept.empty() && absl::StrContains(unit.text, kept));
    }
  }
}

// Translations of PO and XLIFF do not stand in the place of their texts.
bool IsInPlace(DocumentFormat format) {
  return format != DocumentFormat::kPo && format != DocumentFormat::kXliff;
}

// The translations that can be made of the units. In some formats a unit can be
// markup of the file, which only the server reads.
std::vector<FakeTranslation> TranslationsFor(DocumentFormat format) {
  switch (format) {
    case DocumentFormat::kText:
    case DocumentFormat::kHtml:
    case DocumentFormat::kXml:
      return {SameText};
    case DocumentFormat::kMarkdown:
      return {SameText, Capitals};
    default:
      return {SameText, Capitals, Reversed};
  }
}

// Cues may share a sentence, and Markdown may have another meaning elsewhere.
bool HasCountedUnits(DocumentFormat format) {
  return format == DocumentFormat::kPo || format == DocumentFormat::kXliff ||
         format == DocumentFormat::kJson;
}

}  // namespace

void CheckDocument(absl::string_view input) {
  const size_t line_end = input.find('\n');
  if (line_end == absl::string_view::npos) return;
  const std::optional<DocumentFormat> format =
      DocumentFormatOfName(input.substr(0, line_end));
  if (!format.has_value()) return;
  const std::string file(input.substr(line_end + 1));
  const DocumentOptions options = {.target_language = "de",
                                   .retranslate = true};
  const absl::StatusOr<Document> document =
      Document::Parse(*format, file, options);
  if (!document.ok()) {
    SHEAF_CHECK(absl::IsInvalidArgument(document.status()));
    SHEAF_CHECK(absl::StrContains(document.status().message(), "line "));
    return;
  }
  CheckUnits(*document);
  for (const FakeTranslation& translate : TranslationsFor(*format)) {
    const absl::StatusOr<std::string> out =
        TranslateDocument(*format, file, translate, options);
    SHEAF_CHECK(out.ok());
    SHEAF_CHECK(IsValidUtf8(*out));
    const absl::StatusOr<Document> again =
        Document::Parse(*format, *out, options);
    SHEAF_CHECK(again.ok());
    if (HasCountedUnits(*format)) {
      SHEAF_CHECK(again->units().size() == document->units().size());
    }
  }
  if (IsInPlace(*format)) {
    SHEAF_CHECK(*TranslateDocument(*format, file, SameText, options) == file);
  }
}

}  // namespace sheaf
