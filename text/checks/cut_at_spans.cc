// SPDX-License-Identifier: Apache-2.0

#include "text/checks/cut_at_spans.h"

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "text/checks/kept_spans.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// Translations that are empty here are replaced by the piece's own text.
std::string Join(absl::string_view source, absl::Span<const TextRange> pieces,
                 absl::Span<const absl::string_view> translations) {
  std::string joined;
  size_t at = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    absl::StrAppend(
        &joined, source.substr(at, pieces[i].begin - at),
        translations[i].empty() ? Slice(source, pieces[i]) : translations[i]);
    at = pieces[i].end;
  }
  absl::StrAppend(&joined, source.substr(at));
  return joined;
}

}  // namespace

std::vector<TextRange> CutAtSpans(absl::string_view source,
                                  absl::Span<const TextRange> spans) {
  std::vector<TextRange> pieces;
  const auto add = [&](size_t begin, size_t end) {
    const TextRange piece = Trim(source, {begin, end});
    if (HasLetter(Slice(source, piece))) pieces.push_back(piece);
  };
  size_t at = 0;
  for (const TextRange& span : spans) {
    add(at, span.begin);
    at = span.end;
  }
  add(at, source.size());
  return pieces;
}

std::string JoinPieces(absl::string_view source,
                       absl::Span<const TextRange> spans,
                       absl::Span<const TextRange> pieces,
                       absl::Span<const std::string> translations) {
  SHEAF_CHECK(pieces.size() == translations.size());
  const SpanTexts texts(source, spans);
  std::vector<absl::string_view> chosen;
  chosen.reserve(translations.size());
  for (const std::string& translation : translations) {
    const bool has_span = !texts.FindIn(translation).empty();
    chosen.push_back(has_span ? absl::string_view() : translation);
  }
  std::string joined = Join(source, pieces, chosen);
  // A translation may still continue the span next to it: "a/b" and "/c".
  if (texts.AreKeptIn(joined)) return joined;
  return std::string(source);
}

}  // namespace sheaf
