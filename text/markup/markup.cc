// SPDX-License-Identifier: Apache-2.0

#include "text/markup/markup.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "text/markup/html_reader.h"
#include "text/markup/passage_builder.h"
#include "text/markup/xml_reader.h"

namespace sheaf {
namespace {

absl::StatusOr<MarkupText> Parse(absl::string_view text, TextFormat format,
                                 const MarkupOptions& options, bool takes_all,
                                 absl::FunctionRef<bool()> is_wanted) {
  SHEAF_CHECK(format != TextFormat::kPlain);
  PassageBuilder builder(text, takes_all);
  const absl::Status status = format == TextFormat::kHtml
                                  ? ReadHtml(text, options, is_wanted, builder)
                                  : ReadXml(text, options, is_wanted, builder);
  if (!status.ok()) return status;
  return builder.Finish();
}

constexpr char kReplacement[] = "\uFFFD";

// U+FFFE and U+FFFF, which XML does not allow.
bool IsNonCharacter(absl::string_view text) {
  return absl::StartsWith(text, "\xEF\xBF\xBE") ||
         absl::StartsWith(text, "\xEF\xBF\xBF");
}

// Appends an ASCII character, or a byte of another one.
void AppendEscaped(char c, TextFormat format, std::string& text) {
  if (c == '&') {
    text += "&amp;";
  } else if (c == '<') {
    text += "&lt;";
  } else if (c == '>') {
    text += "&gt;";
  } else if (c == '\r') {
    text += "&#13;";
  } else if (!absl::ascii_iscntrl(c) || c == '\t' || c == '\n' || c == 0x7F) {
    text += c;
  } else if (format == TextFormat::kXml || c == 0) {
    text += kReplacement;
  } else {
    absl::StrAppend(&text, "&#", static_cast<int>(c), ";");
  }
}

}  // namespace

absl::StatusOr<MarkupText> ParseMarkup(absl::string_view text,
                                       TextFormat format,
                                       const MarkupOptions& options,
                                       absl::FunctionRef<bool()> is_wanted) {
  return Parse(text, format, options, /*takes_all=*/false, is_wanted);
}

absl::StatusOr<std::string> PlainTextOf(absl::string_view text,
                                        TextFormat format,
                                        absl::FunctionRef<bool()> is_wanted) {
  const absl::StatusOr<MarkupText> markup =
      Parse(text, format, MarkupOptions(), /*takes_all=*/true, is_wanted);
  if (!markup.ok()) return markup.status();
  std::string plain;
  for (const Passage& passage : markup->passages) {
    if (!plain.empty()) plain += '\n';
    plain += passage.text;
  }
  return plain;
}

std::string EscapeText(absl::string_view text, TextFormat format) {
  if (format == TextFormat::kPlain) return std::string(text);
  constexpr absl::string_view kNoBreakSpace = "\u00A0";
  std::string escaped;
  escaped.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const absl::string_view rest = text.substr(at);
    if (format == TextFormat::kHtml && absl::StartsWith(rest, kNoBreakSpace)) {
      escaped += "&nbsp;";
      at += kNoBreakSpace.size();
    } else if (format == TextFormat::kXml && IsNonCharacter(rest)) {
      escaped += kReplacement;
      at += 3;
    } else {
      AppendEscaped(rest[0], format, escaped);
      ++at;
    }
  }
  return escaped;
}

TextRange SourceRange(const Passage& passage, TextRange range) {
  SHEAF_CHECK(range.begin <= range.end && range.end <= passage.text.size());
  // The position of a byte of the text; `is_end` asks for that after the byte.
  const auto position = [&](size_t byte, bool is_end) {
    const auto run = std::upper_bound(
        passage.runs.begin(), passage.runs.end(), byte,
        [](size_t b, const SourceRun& r) { return b < r.text.end; });
    if (run->text.size() == run->source.size()) {
      return run->source.begin + (byte - run->text.begin) + (is_end ? 1 : 0);
    }
    return is_end ? run->source.end : run->source.begin;
  };
  if (passage.text.empty()) return {};
  const size_t last = passage.text.size() - 1;
  if (range.size() == 0) {
    const size_t at = range.begin <= last ? position(range.begin, false)
                                          : position(last, true);
    return {at, at};
  }
  return {position(range.begin, false), position(range.end - 1, true)};
}

}  // namespace sheaf
