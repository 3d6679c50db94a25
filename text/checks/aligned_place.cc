// SPDX-License-Identifier: Apache-2.0

#include "text/checks/aligned_place.h"

#include <unicode/uchar.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "text/checks/word_borders.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

bool IsTaken(const PlaceQuery& query, TextRange range) {
  const auto taken = std::partition_point(
      query.taken.begin(), query.taken.end(),
      [range](const TextRange& t) { return t.end <= range.begin; });
  return taken != query.taken.end() && Overlap(*taken, range);
}

// Whether a span of the alignment has text that translates something outside
// `part`.
bool IsOfOtherPart(const PlaceQuery& query, const AlignedSpan& span,
                   TextRange part) {
  return span.source.size() > 0 && !Overlap(span.source, part) &&
         HasLetterOrDigit(Slice(query.target, span.target));
}

// The hull of the tokens aligned to `part`, without white space at its ends.
// Absent if there are none or if another part is between them.
std::optional<TextRange> FindTokens(const PlaceQuery& query, TextRange part) {
  std::optional<TextRange> hull;
  bool has_other = false;  // since the last token of the part
  for (const AlignedSpan& span : query.alignment) {
    const TextRange range = Trim(query.target, span.target);
    if (range.size() == 0) continue;
    if (IsTaken(query, range) || IsOfOtherPart(query, span, part)) {
      has_other = hull.has_value();
    } else if (span.source.size() > 0 && Overlap(span.source, part)) {
      if (has_other) return std::nullopt;
      if (!hull.has_value()) hull = range;
      hull->end = range.end;
    }
  }
  return hull;
}

// The word of the source that ends before `at`, or begins after it. Empty if
// there is none.
TextRange WordBefore(absl::string_view text, size_t at) {
  while (at > 0 && !HasWordBefore(text, at)) PreviousCharacter(text, at);
  TextRange word = {at, at};
  while (HasWordBefore(text, word.begin)) PreviousCharacter(text, word.begin);
  return word;
}

TextRange WordAfter(absl::string_view text, size_t at) {
  while (at < text.size() && !HasWordAt(text, at)) NextCharacter(text, at);
  TextRange word = {at, at};
  while (HasWordAt(text, word.end)) NextCharacter(text, word.end);
  return word;
}

// Grows a range of the target to whole words.
TextRange ToWords(absl::string_view text, TextRange range) {
  if (HasWordAt(text, range.begin)) {
    while (HasWordBefore(text, range.begin)) {
      PreviousCharacter(text, range.begin);
    }
  }
  if (HasWordBefore(text, range.end)) {
    while (HasWordAt(text, range.end)) NextCharacter(text, range.end);
  }
  return range;
}

bool IsOpening(int32_t character) {
  const int8_t type = u_charType(character);
  return type == U_START_PUNCTUATION || type == U_INITIAL_PUNCTUATION;
}

bool IsPunctuation(int32_t character) {
  return (U_GET_GC_MASK(character) & U_GC_P_MASK) != 0;
}

bool HasSpaceBefore(absl::string_view text, size_t at) {
  return at == 0 || IsWhitespace(PreviousCharacter(text, at));
}

bool HasSpaceAfter(absl::string_view text, size_t at) {
  return at == text.size() || IsWhitespace(NextCharacter(text, at));
}

}  // namespace

std::optional<TextRange> FindTranslation(const PlaceQuery& query,
                                         TextRange part) {
  const std::optional<TextRange> tokens = FindTokens(query, part);
  if (!tokens.has_value()) return std::nullopt;
  const TextRange words = ToWords(query.target, *tokens);
  for (const AlignedSpan& span : query.alignment) {
    const TextRange range = Trim(query.target, span.target);
    if (Overlap(range, words) && IsOfOtherPart(query, span, part)) {
      return std::nullopt;
    }
  }
  if (IsTaken(query, words)) return std::nullopt;
  return words;
}

std::optional<size_t> FindInsertion(const PlaceQuery& query, TextRange part) {
  const TextRange word_before = WordBefore(query.source, part.begin);
  const TextRange word_after = WordAfter(query.source, part.end);
  std::optional<TextRange> before, after;
  if (word_before.size() > 0) {
    before = FindTokens(query, word_before);
    if (!before.has_value()) return std::nullopt;
  }
  if (word_after.size() > 0) {
    after = FindTokens(query, word_after);
    if (!after.has_value()) return std::nullopt;
  }
  // The gap between the two, or the beginning or end of the target.
  const size_t begin =
      before.has_value() ? ToWords(query.target, *before).end : 0;
  const size_t end = after.has_value() ? ToWords(query.target, *after).begin
                                       : query.target.size();
  if (begin > end || HasLetterOrDigit(Slice(query.target, {begin, end}))) {
    return std::nullopt;
  }
  if (!before.has_value()) return end;
  // Signs that follow the word in the source too stay before the part.
  size_t at = begin;
  for (size_t i = word_before.end; i < part.begin && at < end; ++i, ++at) {
    if (query.source[i] != query.target[at]) break;
  }
  return CharacterBegin(query.target, at);
}

TextEdit PutAt(const PlaceQuery& query, TextRange part, TextRange range) {
  const char* space_before = "";
  if (!HasSpaceBefore(query.target, range.begin) &&
      HasSpaceBefore(query.source, part.begin)) {
    size_t at = range.begin;
    if (!IsOpening(PreviousCharacter(query.target, at))) space_before = " ";
  }
  const char* space_after = "";
  if (!HasSpaceAfter(query.target, range.end) &&
      HasSpaceAfter(query.source, part.end)) {
    size_t at = range.end;
    const int32_t next = NextCharacter(query.target, at);
    if (!IsPunctuation(next) || IsOpening(next)) space_after = " ";
  }
  return {range,
          absl::StrCat(space_before, Slice(query.source, part), space_after),
          part};
}

}  // namespace sheaf
