// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "tests/fuzz/targets.h"
#include "tests/text/markup/markup_translation.h"
#include "text/markup/markup.h"
#include "text/markup/xml_parser.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr auto kAlways = [] { return true; };

struct Options {
  TextFormat format = TextFormat::kHtml;
  MarkupOptions markup;
};

// Reads a line such as "xml ignore=a split=b keep=c no-outline no-attributes".
// A name is in one list only.
Options ReadOptions(absl::string_view line) {
  Options options;
  std::vector<absl::string_view> names;
  const auto add = [&names](absl::string_view word, absl::string_view prefix,
                            std::vector<std::string>& list) {
    if (!absl::ConsumePrefix(&word, prefix) || word.empty()) return;
    if (std::find(names.begin(), names.end(), word) != names.end()) return;
    names.push_back(word);
    list.emplace_back(word);
  };
  for (const absl::string_view word : absl::StrSplit(line, ' ')) {
    if (word == "xml") options.format = TextFormat::kXml;
    if (word == "no-outline") options.markup.outline_detection = false;
    if (word == "no-attributes") options.markup.translate_attributes = false;
    add(word, "ignore=", options.markup.ignored_tags);
    add(word, "split=", options.markup.splitting_tags);
    add(word, "keep=", options.markup.non_splitting_tags);
  }
  return options;
}

void CheckPassage(const Passage& passage) {
  SHEAF_CHECK(IsValidUtf8(passage.text) && !passage.text.empty());
  size_t at = 0;
  for (const SourceRun& run : passage.runs) {
    SHEAF_CHECK(run.text.begin == at && run.text.begin < run.text.end);
    at = run.text.end;
  }
  SHEAF_CHECK(at == passage.text.size());
  at = 0;
  for (const InlineTag& tag : passage.tags) {
    SHEAF_CHECK(at <= tag.offset && tag.offset <= passage.text.size());
    at = tag.offset;
  }
  at = 0;
  for (const TextRange& kept : passage.kept) {
    SHEAF_CHECK(at <= kept.begin && kept.begin < kept.end);
    at = kept.end;
  }
  SHEAF_CHECK(at <= passage.text.size());
}

// The pieces and the passages' sources are the text, in order.
void CheckPieces(absl::string_view text, const MarkupText& markup) {
  SHEAF_CHECK(markup.raw.size() == markup.passages.size() + 1);
  size_t at = 0;
  for (size_t i = 0; i < markup.passages.size(); ++i) {
    const Passage& passage = markup.passages[i];
    CheckPassage(passage);
    SHEAF_CHECK(markup.raw[i].data() == text.data() + at);
    at += markup.raw[i].size();
    const TextRange source = SourceRange(passage, {0, passage.text.size()});
    SHEAF_CHECK(at <= source.begin);
    at = static_cast<size_t>(markup.raw[i + 1].data() - text.data());
    SHEAF_CHECK(source.end <= at);
  }
  SHEAF_CHECK(at + markup.raw.back().size() == text.size());
}

std::vector<std::string> TagsOfXml(const std::string& text) {
  const absl::StatusOr<XmlDocument> document = ParseXml(text, kAlways);
  SHEAF_CHECK(document.ok());
  std::vector<std::string> tags;
  for (const XmlEvent& event : document->events) {
    if (event.kind == XmlEvent::Kind::kStartTag ||
        event.kind == XmlEvent::Kind::kEndTag ||
        event.kind == XmlEvent::Kind::kEmptyTag) {
      tags.emplace_back(Slice(text, event.source));
    }
  }
  return tags;
}

// The plain text without its white space, which may be on the other side of a
// tag, and without NUL, which is written as U+FFFD.
std::string LettersOf(const std::string& text, TextFormat format) {
  std::string letters =
      absl::StrReplaceAll(PlainTextOf(text, format, kAlways).value(),
                          {{absl::string_view("\0", 1), ""}, {"\uFFFD", ""}});
  std::erase_if(letters, absl::ascii_isspace);
  return letters;
}

std::string Copied(const std::string& text, const Options& options) {
  const absl::StatusOr<std::string> result =
      TranslateMarkup(text, options.format, options.markup, CopySegment);
  SHEAF_CHECK(result.ok());
  return *result;
}

// As plain text, `text` has no markup when it is escaped.
void CheckEscaped(absl::string_view text, TextFormat format) {
  const std::string escaped = EscapeText(text, format);
  const absl::StatusOr<MarkupText> markup =
      ParseMarkup(escaped, format, MarkupOptions(), kAlways);
  SHEAF_CHECK(markup.ok() && markup->passages.size() <= 1);
  for (const Passage& passage : markup->passages) {
    SHEAF_CHECK(passage.tags.empty() && passage.kept.empty());
  }
}

}  // namespace

void CheckMarkup(absl::string_view input) {
  const size_t line_end = input.find('\n');
  if (line_end == absl::string_view::npos) return;
  const Options options = ReadOptions(input.substr(0, line_end));
  const std::string text(input.substr(line_end + 1));
  if (!IsValidUtf8(text)) return;
  CheckEscaped(text, options.format);
  const absl::StatusOr<MarkupText> markup =
      ParseMarkup(text, options.format, options.markup, kAlways);
  const absl::StatusOr<std::string> plain =
      PlainTextOf(text, options.format, kAlways);
  SHEAF_CHECK(plain.ok() == markup.ok());
  if (!markup.ok()) {
    SHEAF_CHECK(options.format == TextFormat::kXml);
    SHEAF_CHECK(absl::IsInvalidArgument(markup.status()));
    return;
  }
  SHEAF_CHECK(IsValidUtf8(*plain));
  CheckPieces(text, *markup);
  const std::string copied = Copied(text, options);
  SHEAF_CHECK(IsValidUtf8(copied));
  // Kept content may stand where the same text is, with its tags.
  if (absl::c_any_of(markup->passages, [](const Passage& passage) {
        return !passage.kept.empty();
      })) {
    return;
  }
  if (options.format == TextFormat::kXml) {
    SHEAF_CHECK(TagsOfXml(copied) == TagsOfXml(text));
  }
  SHEAF_CHECK(LettersOf(copied, options.format) ==
              LettersOf(text, options.format));
}

}  // namespace sheaf
