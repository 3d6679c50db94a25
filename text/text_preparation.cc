// SPDX-License-Identifier: Apache-2.0

#include "text/text_preparation.h"

#include <cstddef>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "text/charsmap.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr absl::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

void StripEnd(std::string& text) {
  size_t end = text.size();
  while (end > 0) {
    size_t at = end;
    if (!IsWhitespace(PreviousCharacter(text, at))) break;
    end = at;
  }
  text.resize(end);
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

void AppendMarked(absl::string_view text, bool has_prefix, std::string& out) {
  const std::string marked = absl::StrReplaceAll(text, {{" ", kSpaceMark}});
  if (has_prefix && !absl::StartsWith(marked, kSpaceMark)) {
    absl::StrAppend(&out, kSpaceMark);
  }
  absl::StrAppend(&out, marked);
}

}  // namespace

std::string Normalize(const TextPreparation& preparation,
                      absl::string_view text) {
  std::string out = ApplyCharsMap(preparation.charsmap, text);
  if (preparation.strips_end) StripEnd(out);
  switch (preparation.runs) {
    case TextPreparation::Runs::kKept:
      break;
    case TextPreparation::Runs::kToSpace:
      return ReplaceRuns(out, " ");
    case TextPreparation::Runs::kToMark:
      return ReplaceRuns(out, kSpaceMark);
  }
  return out;
}

std::string MarkSpaces(const TextPreparation& preparation,
                       absl::string_view normalized, bool is_first) {
  using Prefix = TextPreparation::Prefix;
  const bool has_prefix = preparation.prefix == Prefix::kAlways ||
                          (preparation.prefix == Prefix::kFirst && is_first);
  std::string out;
  if (!preparation.splits_at_whitespace) {
    if (!normalized.empty()) AppendMarked(normalized, has_prefix, out);
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
      AppendMarked(normalized.substr(begin, end - begin), has_prefix, out);
    }
  }
  return out;
}

}  // namespace sheaf
