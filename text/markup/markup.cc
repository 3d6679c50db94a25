// SPDX-License-Identifier: Apache-2.0

#include "text/markup/markup.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
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
  constexpr absl::string_view kNoBreakSpace = "\u00A0";
  std::string escaped;
  escaped.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (format == TextFormat::kPlain) {
      escaped += c;
    } else if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else if (format == TextFormat::kHtml &&
               text.substr(at, kNoBreakSpace.size()) == kNoBreakSpace) {
      escaped += "&nbsp;";
      at += kNoBreakSpace.size() - 1;
    } else {
      escaped += c;
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
