// SPDX-License-Identifier: Apache-2.0

#include "text/checks/cut_at_spans.h"

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "text/checks/kept_spans.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// Appends a part of the source as it is.
void AppendCopied(absl::string_view source, TextRange range, EditedText& out) {
  if (range.size() == 0) return;
  const size_t at = out.text.size();
  out.alignment.push_back({{at, at + range.size()}, range});
  absl::StrAppend(&out.text, Slice(source, range));
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

EditedText ReplaceParts(absl::string_view source,
                        absl::Span<const TextRange> parts,
                        absl::Span<const EditedText* const> translations) {
  EditedText out;
  size_t at = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const TextRange& part = parts[i];
    AppendCopied(source, {at, part.begin}, out);
    at = part.end;
    if (translations[i] == nullptr) {
      AppendCopied(source, part, out);
      continue;
    }
    const size_t begin = out.text.size();
    absl::StrAppend(&out.text, translations[i]->text);
    for (const AlignedSpan& span : translations[i]->alignment) {
      out.alignment.push_back(
          {{begin + span.target.begin, begin + span.target.end},
           {part.begin + span.source.begin, part.begin + span.source.end}});
    }
  }
  AppendCopied(source, {at, source.size()}, out);
  return out;
}

EditedText JoinPieces(absl::string_view source,
                      absl::Span<const TextRange> spans,
                      absl::Span<const TextRange> pieces,
                      absl::Span<const EditedText> translations) {
  SHEAF_CHECK(pieces.size() == translations.size());
  const SpanTexts texts(source, spans);
  std::vector<const EditedText*> chosen;
  chosen.reserve(translations.size());
  for (const EditedText& translation : translations) {
    const bool is_used =
        !translation.text.empty() && texts.FindIn(translation.text).empty();
    chosen.push_back(is_used ? &translation : nullptr);
  }
  EditedText joined = ReplaceParts(source, pieces, chosen);
  // A translation may still continue the span next to it: "a/b" and "/c".
  if (texts.AreKeptIn(joined.text)) return joined;
  return ReplaceParts(source, {}, {});
}

}  // namespace sheaf
