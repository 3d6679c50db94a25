// SPDX-License-Identifier: Apache-2.0

#include "text/checks/protected_spans.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "text/checks/addresses.h"
#include "text/checks/emoji.h"
#include "text/checks/placeholders.h"
#include "text/checks/word_borders.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// Appends what placeholders.h, addresses.h and emoji.h find, from left to
// right.
void AppendPatterns(absl::string_view text, absl::FunctionRef<bool()> is_wanted,
                    std::vector<TextRange>& spans) {
  constexpr size_t kBytesAtOnce = 16 << 10;
  size_t next_question = kBytesAtOnce;
  for (size_t at = 0; at < text.size();) {
    if (at >= next_question) {
      if (!is_wanted()) break;
      next_question = at + kBytesAtOnce;
    }
    TextRange span = {at, PlaceholderEnd(text, at)};
    const TextRange address = AddressAt(text, at);
    if (address.size() > span.size()) span = address;
    if (span.size() == 0) span.end = EmojiEnd(text, at);
    if (span.size() > 0) {
      spans.push_back(span);
      at = span.end;
    } else {
      NextCharacter(text, at);
    }
  }
}

// Sorts the ranges and joins those that overlap.
void JoinOverlapping(std::vector<TextRange>& spans) {
  std::sort(
      spans.begin(), spans.end(),
      [](const TextRange& a, const TextRange& b) { return a.begin < b.begin; });
  size_t num_joined = 0;
  for (const TextRange& span : spans) {
    if (num_joined > 0 && span.begin < spans[num_joined - 1].end) {
      TextRange& last = spans[num_joined - 1];
      last.end = std::max(last.end, span.end);
    } else {
      spans[num_joined++] = span;
    }
  }
  spans.resize(num_joined);
}

}  // namespace

absl::StatusOr<DoNotTranslate> DoNotTranslate::Create(
    absl::Span<const std::string> strings) {
  if (strings.size() > kMaxStrings) {
    return absl::InvalidArgumentError(
        absl::StrCat("do_not_translate has ", strings.size(),
                     " strings; at most ", kMaxStrings, " are allowed"));
  }
  absl::flat_hash_set<absl::string_view> distinct;
  std::vector<absl::string_view> views;
  views.reserve(strings.size());
  for (const std::string& string : strings) {
    const size_t index = &string - strings.data();
    if (string.size() > kMaxStringBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("do_not_translate[", index, "] has ", string.size(),
                       " bytes; at most ", kMaxStringBytes, " are allowed"));
    }
    if (!IsValidUtf8(string)) {
      return absl::InvalidArgumentError(
          absl::StrCat("do_not_translate[", index, "] is not UTF-8"));
    }
    if (Trim(string, {0, string.size()}).size() == 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "do_not_translate[", index, "] has no character except white space"));
    }
    if (distinct.insert(string).second) views.push_back(string);
  }
  return DoNotTranslate(views);
}

void DoNotTranslate::AppendSpans(absl::string_view text,
                                 std::vector<TextRange>& spans) const {
  const auto is_at_borders = [text](const PatternFinder::Match& match) {
    return IsAtWordBorders(text, {match.begin, match.end});
  };
  for (const PatternFinder::Match& match :
       finder_.FindAll(text, is_at_borders)) {
    spans.push_back({match.begin, match.end});
  }
}

bool IsBreak(absl::string_view span) {
  return span == "\\n" || span == "\\r" || span == "\\t" ||
         (absl::StartsWithIgnoreCase(span, "<br") &&
          absl::StrContains(" />", span.substr(3, 1)));
}

std::vector<TextRange> FindProtectedSpans(absl::string_view text,
                                          const ProtectedSpansOptions& options,
                                          absl::FunctionRef<bool()> is_wanted) {
  std::vector<TextRange> spans;
  if (options.has_patterns) AppendPatterns(text, is_wanted, spans);
  if (options.strings != nullptr) options.strings->AppendSpans(text, spans);
  JoinOverlapping(spans);
  return spans;
}

}  // namespace sheaf
