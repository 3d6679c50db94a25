// SPDX-License-Identifier: Apache-2.0

#include "tests/text/markup/markup_translation.h"

#include <vector>

#include "text/markup/place_tags.h"

namespace sheaf {
namespace {

std::vector<TextRange> Segments(absl::string_view text) {
  std::vector<TextRange> segments;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t stop = text.find(". ", begin);
    const size_t end = stop == absl::string_view::npos ? text.size() : stop + 1;
    const TextRange segment = Trim(text, {begin, end});
    if (segment.size() > 0) segments.push_back(segment);
    begin = end;
  }
  return segments;
}

std::string TranslatePassage(const Passage& passage, TextFormat format,
                             const TestTranslator& translate) {
  const absl::string_view text = passage.text;
  const std::vector<TextRange> segments = Segments(text);
  const DividedTags tags = DivideTags(passage, segments);
  std::string result;
  size_t at = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    result +=
        WriteCopied(Slice(text, {at, segments[i].begin}), tags.gaps[i], format);
    at = segments[i].end;
    const TestTranslation translation = translate(Slice(text, segments[i]));
    TagPlacement placement;
    placement.source = Slice(text, segments[i]);
    placement.tags = tags.segments[i].tags;
    placement.kept = tags.segments[i].kept;
    placement.target = translation.text;
    placement.alignment = &translation.alignment;
    placement.format = format;
    result += PlaceTags(placement);
  }
  result += WriteCopied(text.substr(at), tags.gaps.back(), format);
  return result;
}

}  // namespace

absl::StatusOr<std::string> TranslateMarkup(absl::string_view text,
                                            TextFormat format,
                                            const MarkupOptions& options,
                                            const TestTranslator& translate) {
  const absl::StatusOr<MarkupText> markup =
      ParseMarkup(text, format, options, [] { return true; });
  if (!markup.ok()) return markup.status();
  std::string result(markup->raw[0]);
  for (size_t i = 0; i < markup->passages.size(); ++i) {
    result += TranslatePassage(markup->passages[i], format, translate);
    const absl::string_view raw = markup->raw[i + 1];
    result.append(raw.data(), raw.size());
  }
  return result;
}

TestTranslation CopySegment(absl::string_view segment) {
  TestTranslation copy;
  copy.text = std::string(segment);
  for (size_t i = 0; i < segment.size(); ++i) {
    copy.alignment.push_back({{i, i + 1}, {i, i + 1}});
  }
  return copy;
}

}  // namespace sheaf
