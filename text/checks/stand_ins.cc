// SPDX-License-Identifier: Apache-2.0

#include "text/checks/stand_ins.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "text/checks/word_borders.h"
#include "text/pattern_finder.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

struct Form {
  absl::string_view before;  // its number
  absl::string_view after;
};

Form FormOf(StandInKind kind) {
  switch (kind) {
    case StandInKind::kUnderscores:
      return {"__", "__"};
    case StandInKind::kIdentifier:
      return {"ID", ""};
  }
  return {};
}

// The numbers that follow `prefix` somewhere in the text.
absl::flat_hash_set<int64_t> NumbersAfter(absl::string_view text,
                                          absl::string_view prefix) {
  absl::flat_hash_set<int64_t> numbers;
  for (size_t at = text.find(prefix); at != text.npos;
       at = text.find(prefix, at + 1)) {
    const size_t begin = at + prefix.size();
    size_t end = begin;
    while (end < text.size() && absl::ascii_isdigit(text[end])) ++end;
    int64_t number = 0;
    if (absl::SimpleAtoi(text.substr(begin, end - begin), &number)) {
      numbers.insert(number);
    }
  }
  return numbers;
}

bool HasWordOrSpace(absl::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const int32_t character = NextCharacter(text, at);
    if (IsWhitespace(character) || IsWordCharacter(character)) return true;
  }
  return false;
}

// The spans, with those joined that only signs separate.
std::vector<TextRange> JoinNeighbours(absl::string_view source,
                                      absl::Span<const TextRange> spans) {
  std::vector<TextRange> joined;
  joined.reserve(spans.size());
  for (const TextRange& span : spans) {
    if (!joined.empty() &&
        !HasWordOrSpace(Slice(source, {joined.back().end, span.begin}))) {
      joined.back().end = span.end;
    } else {
      joined.push_back(span);
    }
  }
  return joined;
}

}  // namespace

StandInSource ReplaceSpans(absl::string_view source,
                           absl::Span<const TextRange> spans, StandInKind kind,
                           absl::Span<const SpanReplacement> signs) {
  std::vector<SpanReplacement> replacements;
  replacements.reserve(spans.size() + signs.size());
  auto sign = signs.begin();
  for (const TextRange& span : JoinNeighbours(source, spans)) {
    for (; sign != signs.end() && sign->range.begin < span.end; ++sign) {
      if (sign->range.end <= span.begin) replacements.push_back(*sign);
    }
    replacements.push_back({span, std::nullopt});
  }
  replacements.insert(replacements.end(), sign, signs.end());
  return ReplaceEach(source, replacements, kind);
}

StandInSource ReplaceEach(absl::string_view source,
                          absl::Span<const SpanReplacement> replacements,
                          StandInKind kind) {
  const Form form = FormOf(kind);
  const absl::flat_hash_set<int64_t> used = NumbersAfter(source, form.before);
  StandInSource result;
  size_t at = 0;
  int64_t number = 0;
  for (const SpanReplacement& replacement : replacements) {
    const TextRange range = replacement.range;
    result.source.Keep(source, {at, range.begin});
    at = range.end;
    if (replacement.text.has_value()) {
      result.source.Replace(range, *replacement.text);
      continue;
    }
    do {
      ++number;
    } while (used.contains(number));
    const std::string text = absl::StrCat(form.before, number, form.after);
    result.source.Replace(range, text);
    result.stand_ins.push_back(
        {text, std::string(Slice(source, range)), range});
  }
  result.source.Keep(source, {at, source.size()});
  return result;
}

std::optional<EditedText> RestoreSpans(const StandInSource& stand_ins,
                                       absl::string_view target,
                                       const TextAlignment& alignment) {
  std::vector<absl::string_view> texts;
  texts.reserve(stand_ins.stand_ins.size());
  for (const StandInSource::StandIn& stand_in : stand_ins.stand_ins) {
    texts.push_back(stand_in.text);
  }
  std::vector<int32_t> counts(texts.size(), 0);
  std::vector<TextEdit> edits;
  for (const PatternFinder::Match& match :
       PatternFinder(texts).FindAll(target)) {
    const TextRange range = {match.begin, match.end};
    if (!IsAtWordBorders(target, range)) return std::nullopt;
    const StandInSource::StandIn& stand_in = stand_ins.stand_ins[match.pattern];
    if (++counts[match.pattern] > stand_in.count) return std::nullopt;
    edits.push_back({range, stand_in.original, stand_in.range});
  }
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] != stand_ins.stand_ins[i].count) return std::nullopt;
  }
  return ApplyEdits(target, stand_ins.source.ToOriginal(alignment), edits);
}

}  // namespace sheaf
