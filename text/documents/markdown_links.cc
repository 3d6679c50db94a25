// SPDX-License-Identifier: Apache-2.0

#include "text/documents/markdown_links.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace sheaf {
namespace {

constexpr size_t kNone = absl::string_view::npos;
constexpr int kMaxParentheses = 32;  // nested in a target
constexpr size_t kMaxSchemeBytes = 32;

size_t SkipSpaces(absl::string_view text, size_t at) {
  return std::min(text.find_first_not_of(" \t\n", at), text.size());
}

// The end of "<...>" or of a target without spaces.
size_t TargetEnd(absl::string_view text, size_t at) {
  if (at < text.size() && text[at] == '<') {
    for (++at; at < text.size(); ++at) {
      if (text[at] == '\\') {
        ++at;
      } else if (text[at] == '\n' || text[at] == '<') {
        return kNone;
      } else if (text[at] == '>') {
        return at + 1;
      }
    }
    return kNone;
  }
  int depth = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\\' && at + 1 < text.size() &&
        absl::ascii_ispunct(text[at + 1])) {
      ++at;
    } else if (c == '(') {
      if (++depth > kMaxParentheses) return kNone;
    } else if (c == ')') {
      if (depth-- == 0) return at;
    } else if (absl::ascii_isspace(c) || absl::ascii_iscntrl(c)) {
      break;
    }
  }
  return depth == 0 ? at : kNone;
}

// The end of a title in quotes or parentheses.
size_t TitleEnd(absl::string_view text, size_t at) {
  const char open = text[at];
  const char close = open == '(' ? ')' : open;
  if (open != '"' && open != '\'' && open != '(') return kNone;
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == close) {
      return at + 1;
    } else if (open == '(' && text[at] == '(') {
      return kNone;
    }
  }
  return kNone;
}

}  // namespace

size_t InlineTargetEnd(absl::string_view text, size_t begin) {
  if (begin >= text.size() || text[begin] != '(') return kNone;
  size_t at = SkipSpaces(text, begin + 1);
  if (at < text.size() && text[at] == ')') return at + 1;
  at = TargetEnd(text, at);
  if (at == kNone) return kNone;
  const size_t title = SkipSpaces(text, at);
  if (title == text.size()) return kNone;
  if (text[title] == ')') return title + 1;
  if (title == at) return kNone;
  at = TitleEnd(text, title);
  if (at == kNone) return kNone;
  at = SkipSpaces(text, at);
  return at < text.size() && text[at] == ')' ? at + 1 : kNone;
}

size_t ReferenceEnd(absl::string_view text, size_t begin) {
  if (begin >= text.size() || text[begin] != '[') return kNone;
  const size_t limit = std::min(text.size(), begin + kMaxLabelBytes);
  for (size_t at = begin + 1; at < limit; ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '[') {
      return kNone;
    } else if (text[at] == ']') {
      return at + 1;
    }
  }
  return kNone;
}

CodeSpanFinder::CodeSpanFinder(absl::string_view text) {
  for (size_t at = text.find('`'); at != kNone; at = text.find('`', at)) {
    const size_t end = std::min(text.find_first_not_of('`', at), text.size());
    runs_[end - at].begins.push_back(at);
    at = end;
  }
}

size_t CodeSpanFinder::EndOf(size_t begin, size_t size) {
  const auto it = runs_.find(size);
  if (it == runs_.end()) return kNone;
  Runs& runs = it->second;
  // Runs that overlap the opening one do not close it.
  while (runs.next < runs.begins.size() &&
         runs.begins[runs.next] < begin + size) {
    ++runs.next;
  }
  return runs.next < runs.begins.size() ? runs.begins[runs.next] + size : kNone;
}

InlineTagFinder::Found InlineTagFinder::FindUpTo(size_t begin, size_t search,
                                                 absl::string_view end) {
  if (std::find(missing_.begin(), missing_.end(), end) != missing_.end()) {
    return {};
  }
  const size_t at = text_.find(end, search);
  if (at == kNone) {
    missing_.push_back(end);
    return {};
  }
  return {Kind::kAlone, at + end.size() - begin};
}

InlineTagFinder::Found InlineTagFinder::Find(size_t begin) {
  const absl::string_view rest = text_.substr(begin);
  if (absl::StartsWith(rest, "<!--")) return FindUpTo(begin, begin + 4, "-->");
  if (absl::StartsWith(rest, "<?")) return FindUpTo(begin, begin + 2, "?>");
  if (absl::StartsWith(rest, "<![CDATA[")) {
    return FindUpTo(begin, begin + 9, "]]>");
  }
  if (absl::StartsWith(rest, "<!") && rest.size() > 2 &&
      absl::ascii_isalpha(rest[2])) {
    return FindUpTo(begin, begin + 2, ">");
  }
  // "<scheme:..." or "<name@host>": nothing of it is white space or '<'.
  const size_t end = text_.find_first_of(" \t\n<>", begin + 1);
  if (end != kNone && text_[end] == '>') {
    const absl::string_view inner = text_.substr(begin + 1, end - begin - 1);
    const size_t colon = inner.find(':');
    const bool has_scheme =
        colon != kNone && colon >= 2 && colon <= kMaxSchemeBytes &&
        absl::ascii_isalpha(inner[0]) &&
        std::all_of(inner.begin(), inner.begin() + colon, [](char c) {
          return absl::ascii_isalnum(c) || c == '+' || c == '.' || c == '-';
        });
    const size_t sign = inner.find('@');
    const bool is_address = sign != kNone && sign > 0 &&
                            sign + 1 < inner.size() &&
                            !absl::StrContains(inner, '/');
    if (has_scheme || is_address) return {Kind::kAutolink, end + 1 - begin};
  }
  size_t at = begin + 1;
  const bool is_close = at < text_.size() && text_[at] == '/';
  if (is_close) ++at;
  const size_t name_begin = at;
  while (at < text_.size() &&
         (absl::ascii_isalnum(text_[at]) || text_[at] == '-')) {
    ++at;
  }
  if (at == name_begin || !absl::ascii_isalpha(text_[name_begin])) return {};
  std::string name =
      absl::AsciiStrToLower(text_.substr(name_begin, at - name_begin));
  if (!is_close) at = AttributesEnd(at);
  if (at == kNone) return {};
  at = SkipSpaces(text_, at);
  const bool is_empty = !is_close && at < text_.size() && text_[at] == '/';
  if (is_empty) ++at;
  if (at == text_.size() || text_[at] != '>') return {};
  const size_t size = at + 1 - begin;
  constexpr absl::string_view kVoid[] = {"br", "hr", "img", "input", "wbr"};
  if (is_empty ||
      std::find(std::begin(kVoid), std::end(kVoid), name) != std::end(kVoid)) {
    return {Kind::kAlone, size};
  }
  return {is_close ? Kind::kClose : Kind::kOpen, size, std::move(name)};
}

// The end of the attributes of a start tag; npos if they are none.
size_t InlineTagFinder::AttributesEnd(size_t at) const {
  for (;;) {
    const size_t name = SkipSpaces(text_, at);
    if (name == text_.size()) return kNone;
    if (text_[name] == '>' || text_[name] == '/') return at;
    if (name == at) return kNone;
    at = name;
    while (at < text_.size() &&
           (absl::ascii_isalnum(text_[at]) ||
            absl::StrContains("_:.-@", text_.substr(at, 1)))) {
      ++at;
    }
    if (at == name) return kNone;
    const size_t equals = SkipSpaces(text_, at);
    if (equals == text_.size()) return kNone;
    if (text_[equals] != '=') continue;
    at = SkipSpaces(text_, equals + 1);
    if (at == text_.size()) return kNone;
    if (text_[at] == '"' || text_[at] == '\'') {
      at = text_.find(text_[at], at + 1);
      if (at == kNone) return kNone;
      ++at;
    } else {
      const size_t end = text_.find_first_of(" \t\n\"'=<>`", at);
      if (end == kNone || end == at) return kNone;
      at = end;
    }
  }
}

}  // namespace sheaf
