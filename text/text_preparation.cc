// SPDX-License-Identifier: Apache-2.0

#include "text/text_preparation.h"

#include <cstddef>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "text/charsmap.h"
#include "text/unicode_form.h"
#include "text/utf8.h"
#include "text/word_pattern.h"

namespace sheaf {
namespace {

constexpr absl::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

using Step = TextPreparation::Step;

absl::string_view Stripped(const Step& step, absl::string_view text) {
  while (step.strips_end && !text.empty()) {
    size_t at = text.size();
    if (!IsWhitespace(PreviousCharacter(text, at))) break;
    text = text.substr(0, at);
  }
  while (step.strips_begin && !text.empty()) {
    size_t at = 0;
    if (!IsWhitespace(NextCharacter(text, at))) break;
    text = text.substr(at);
  }
  return text;
}

std::string ReplaceRuns(absl::string_view text, absl::string_view with) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find_first_not_of(' ', at);
    if (end == text.npos) end = text.size();
    if (end - at >= 2) {
      absl::StrAppend(&out, with);
    } else {
      if (end == at) end = at + 1;
      absl::StrAppend(&out, text.substr(at, end - at));
    }
    at = end;
  }
  return out;
}

std::string Applied(const Step& step, std::string text) {
  switch (step.kind) {
    case Step::Kind::kNfc:
      return ToUnicodeForm(UnicodeForm::kNfc, text);
    case Step::Kind::kNfkc:
      return ToUnicodeForm(UnicodeForm::kNfkc, text);
    case Step::Kind::kStrip:
      return std::string(Stripped(step, text));
    case Step::Kind::kReplaceRuns:
      return ReplaceRuns(text, step.content);
    case Step::Kind::kReplace:
      return absl::StrReplaceAll(text, {{step.pattern, step.content}});
    case Step::Kind::kPrepend:
      if (!text.empty()) text.insert(0, step.content);
      break;
  }
  return text;
}

void AppendMarked(absl::string_view text, absl::string_view mark,
                  bool has_prefix, std::string& out) {
  const std::string marked = absl::StrReplaceAll(text, {{" ", mark}});
  if (has_prefix && !absl::StartsWith(marked, mark)) {
    absl::StrAppend(&out, mark);
  }
  absl::StrAppend(&out, marked);
}

// Splits before each `mark`, or after it.
void SplitAt(absl::string_view mark, bool is_after, absl::string_view text,
             absl::FunctionRef<void(absl::string_view)> take_word) {
  while (!text.empty()) {
    size_t end = text.find(mark, is_after ? 0 : 1);
    if (end == text.npos) {
      end = text.size();
    } else if (is_after) {
      end += mark.size();
    }
    take_word(text.substr(0, end));
    text.remove_prefix(end);
  }
}

}  // namespace

std::string Normalize(const TextPreparation& preparation,
                      absl::string_view text) {
  std::string out = ApplyCharsMap(preparation.charsmap, text);
  for (const Step& step : preparation.steps) {
    out = Applied(step, std::move(out));
  }
  return out;
}

std::string MarkSpaces(const TextPreparation& preparation,
                       absl::string_view normalized, bool is_first) {
  using Prefix = TextPreparation::Prefix;
  const absl::string_view mark = preparation.marks_spaces ? kSpaceMark : " ";
  const bool has_prefix = preparation.prefix == Prefix::kAlways ||
                          (preparation.prefix == Prefix::kFirst && is_first);
  std::string out;
  if (!preparation.splits_at_whitespace) {
    if (!normalized.empty()) AppendMarked(normalized, mark, has_prefix, out);
    return out;
  }
  for (size_t at = 0, begin = 0; begin < normalized.size(); begin = at) {
    size_t end = begin;  // of the word that begins here
    while (at < normalized.size()) {
      end = at;
      if (IsWhitespace(NextCharacter(normalized, at))) break;
      end = at;
    }
    if (end > begin) {
      AppendMarked(normalized.substr(begin, end - begin), mark, has_prefix,
                   out);
    }
  }
  return out;
}

void SplitWords(const TextPreparation& preparation,
                absl::string_view normalized, bool is_first,
                absl::FunctionRef<void(absl::string_view)> take_word) {
  const std::string marked = MarkSpaces(preparation, normalized, is_first);
  switch (preparation.words) {
    case TextPreparation::Words::kWhole:
      if (!marked.empty()) take_word(marked);
      break;
    case TextPreparation::Words::kAtMarks:
      SplitAt(kSpaceMark, /*is_after=*/false, marked, take_word);
      break;
    case TextPreparation::Words::kAfterSpaces:
      SplitAt(" ", /*is_after=*/true, marked, take_word);
      break;
    case TextPreparation::Words::kByPattern:
      SplitByWordPattern(marked, take_word);
      break;
  }
}

}  // namespace sheaf
