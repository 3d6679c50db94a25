// SPDX-License-Identifier: Apache-2.0

#include "text/checks/kept_spans.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "text/checks/word_borders.h"

namespace sheaf {
namespace {

char ByteBefore(absl::string_view text, size_t at) {
  return at > 0 ? text[at - 1] : '\0';
}

char ByteAt(absl::string_view text, size_t at) {
  return at < text.size() ? text[at] : '\0';
}

// Whether a path, address or version continues after `end`.
bool Continues(absl::string_view text, TextRange range) {
  const char next = ByteAt(text, range.end);
  switch (next) {
    case '/':
    case '@':
    case '=':
    case '&':
      return true;
    case '.':
      return HasWordAt(text, range.end + 1);
    default:
      return false;
  }
}

// Whether the range is no part of a longer name.
bool IsWhole(absl::string_view text, TextRange range) {
  const absl::string_view span = Slice(text, range);
  const char next = ByteAt(text, range.end);
  // Text may follow the conversion of a placeholder: "%dpx", "\nNext".
  if (span.front() == '%' || span.front() == '\\') {
    return !(absl::ascii_isdigit(span.back()) && absl::ascii_isdigit(next));
  }
  if (!IsAtWordBorders(text, range)) return false;
  const bool is_address =
      HasWordBefore(text, range.end) && span.find_first_of("/@.") != span.npos;
  if (!is_address) return true;
  const char before = ByteBefore(text, range.begin);
  return !Continues(text, range) && before != '/' && before != '@';
}

}  // namespace

SpanTexts::Distinct SpanTexts::FindDistinct(absl::string_view source,
                                            absl::Span<const TextRange> spans) {
  Distinct distinct;
  absl::flat_hash_map<absl::string_view, size_t> indexes;
  for (const TextRange& span : spans) {
    const auto [entry, is_new] =
        indexes.emplace(Slice(source, span), distinct.texts.size());
    if (is_new) {
      distinct.texts.push_back(Slice(source, span));
      distinct.must_be_whole.push_back(true);
    }
    if (!IsWhole(source, span)) distinct.must_be_whole[entry->second] = false;
  }
  return distinct;
}

SpanTexts::SpanTexts(absl::string_view source,
                     absl::Span<const TextRange> spans)
    : SpanTexts(source, FindDistinct(source, spans)) {}

SpanTexts::SpanTexts(absl::string_view source, Distinct distinct)
    : texts_(std::move(distinct.texts)),
      must_be_whole_(std::move(distinct.must_be_whole)),
      finder_(texts_),
      counts_(CountIn(source)) {}

std::vector<SpanTexts::Occurrence> SpanTexts::FindIn(
    absl::string_view text) const {
  const auto counts = [&](const PatternFinder::Match& match) {
    return !must_be_whole_[match.pattern] ||
           IsWhole(text, {match.begin, match.end});
  };
  std::vector<Occurrence> occurrences;
  for (const PatternFinder::Match& match : finder_.FindAll(text, counts)) {
    occurrences.push_back({{match.begin, match.end}, match.pattern});
  }
  return occurrences;
}

std::vector<int32_t> SpanTexts::CountIn(absl::string_view text) const {
  std::vector<int32_t> counts(texts_.size(), 0);
  for (const Occurrence& occurrence : FindIn(text)) {
    ++counts[occurrence.text_index];
  }
  return counts;
}

bool SpanTexts::AreKeptIn(absl::string_view target) const {
  return CountIn(target) == counts_;
}

bool AllKept(absl::string_view source, absl::Span<const TextRange> spans,
             absl::string_view target) {
  return spans.empty() || SpanTexts(source, spans).AreKeptIn(target);
}

}  // namespace sheaf
