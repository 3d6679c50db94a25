// SPDX-License-Identifier: Apache-2.0

#include "server/http/file_texts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sheaf {
namespace {

v1::TextFormat ToProto(TextFormat format) {
  switch (format) {
    case TextFormat::kPlain:
      return v1::TEXT_FORMAT_PLAIN;
    case TextFormat::kHtml:
      return v1::TEXT_FORMAT_HTML;
    case TextFormat::kXml:
      return v1::TEXT_FORMAT_XML;
  }
  return v1::TEXT_FORMAT_UNSPECIFIED;
}

v1::LineBreaks ToProto(LineBreaks line_breaks) {
  switch (line_breaks) {
    case LineBreaks::kAutomatic:
      return v1::LINE_BREAKS_UNSPECIFIED;
    case LineBreaks::kKeep:
      return v1::LINE_BREAKS_KEEP;
    case LineBreaks::kParagraphs:
      return v1::LINE_BREAKS_PARAGRAPHS;
  }
  return v1::LINE_BREAKS_UNSPECIFIED;
}

v1::TranslateRequest RequestOf(const DocumentUnit& unit,
                               const std::string& source,
                               const std::string& target) {
  v1::TranslateRequest request;
  request.set_text(unit.text);
  request.set_source_language(source);
  request.set_target_language(target);
  request.set_format(ToProto(unit.format));
  // Markup says where lines end.
  if (unit.format == TextFormat::kPlain) {
    request.set_line_breaks(ToProto(unit.line_breaks));
  }
  for (const std::string& kept : unit.do_not_translate) {
    request.add_do_not_translate(kept);
  }
  return request;
}

}  // namespace

std::vector<std::string> TranslatedFileExtensions() {
  std::vector<std::string> extensions;
  for (const char* extension : {".txt", ".md", ".html", ".htm", ".xml", ".srt",
                                ".vtt", ".po", ".xlf", ".xliff", ".json"}) {
    if (DocumentFormatOfPath(absl::StrCat("a", extension)).has_value()) {
      extensions.emplace_back(extension);
    }
  }
  return extensions;
}

std::string ExtensionOfFile(absl::string_view file_name) {
  const size_t dot = file_name.rfind('.');
  std::string extension = absl::AsciiStrToLower(
      dot == absl::string_view::npos ? "" : file_name.substr(dot + 1));
  const bool is_plain =
      std::all_of(extension.begin(), extension.end(), absl::ascii_isalnum);
  return is_plain ? extension : "";
}

absl::StatusOr<std::string> FileTexts::Write(
    const std::vector<TextAnswer>& answers) const {
  std::vector<std::string> texts;
  texts.reserve(document->units().size());
  for (size_t i = 0; i < document->units().size(); ++i) {
    texts.push_back(answers[i].whole.text);
  }
  return document->Write(texts);
}

absl::StatusOr<FileTexts> ReadFileTexts(DocumentFormat format,
                                        std::string bytes,
                                        const std::string& source,
                                        const std::string& target) {
  absl::StatusOr<Document> parsed =
      Document::Parse(format, std::move(bytes), {.target_language = target});
  if (!parsed.ok()) return parsed.status();
  FileTexts texts;
  texts.document = std::make_shared<const Document>(*std::move(parsed));
  const std::vector<DocumentUnit>& units = texts.document->units();
  if (units.size() > kMaxFileTexts) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the file has %d texts; this server allows %d",
                        units.size(), kMaxFileTexts));
  }
  texts.requests.reserve(units.size());
  for (const DocumentUnit& unit : units) {
    texts.requests.push_back(RequestOf(unit, source, target));
  }
  if (units.empty()) {
    DocumentUnit blank;
    blank.text = " ";
    texts.requests.push_back(RequestOf(blank, source, target));
  }
  return texts;
}

}  // namespace sheaf
