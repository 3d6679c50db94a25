// SPDX-License-Identifier: Apache-2.0

#include "text/markup/html_tokenizer.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace sheaf {
namespace {

constexpr size_t kNone = absl::string_view::npos;

bool IsSpace(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

bool EndsTagName(char c) { return IsSpace(c) || c == '/' || c == '>'; }

}  // namespace

// Whether the text has `lower` at `at`, without regard to case.
bool HtmlTokenizer::IsAt(size_t at, absl::string_view lower) const {
  return at <= text_.size() &&
         absl::EqualsIgnoreCase(text_.substr(at, lower.size()), lower);
}

bool HtmlTokenizer::IsEndTagAt(size_t at, absl::string_view name) const {
  const size_t end = at + 2 + name.size();
  return end < text_.size() && text_[at] == '<' && text_[at + 1] == '/' &&
         IsAt(at + 2, name) && EndsTagName(text_[end]);
}

// The position after the first `mark` from `at` on, or the end.
size_t HtmlTokenizer::EndOf(char mark, size_t at) const {
  const size_t found = text_.find(mark, at);
  return found == kNone ? text_.size() : found + 1;
}

// The end of the text that begins at `at`: a '<' that begins something else.
size_t HtmlTokenizer::FindText(size_t at) const {
  for (; at < text_.size(); ++at) {
    at = text_.find('<', at);
    if (at == kNone || at + 1 == text_.size()) return text_.size();
    const char next = text_[at + 1];
    if (absl::ascii_isalpha(next) || next == '!' || next == '?') return at;
    if (next == '/' && at + 2 < text_.size()) return at;
  }
  return text_.size();
}

// The end of the comment that begins with "<!--" at at_.
size_t HtmlTokenizer::CommentEnd() const {
  const size_t begin = at_ + 4;
  if (IsAt(begin, ">")) return begin + 1;
  if (IsAt(begin, "->")) return begin + 2;
  for (size_t at = begin;; ++at) {
    at = text_.find("--", at);
    if (at == kNone) return text_.size();
    if (IsAt(at + 2, ">")) return at + 3;
    if (IsAt(at + 2, "!>")) return at + 4;
  }
}

// The end of what begins with "<!" at at_.
size_t HtmlTokenizer::DeclarationEnd(bool in_foreign, HtmlToken& token) const {
  if (IsAt(at_, "<!--")) return CommentEnd();
  if (in_foreign && absl::StartsWith(text_.substr(at_), "<![CDATA[")) {
    token.kind = HtmlToken::Kind::kCData;
    const size_t end = text_.find("]]>", at_);
    return end == kNone ? text_.size() : end + 3;
  }
  return EndOf('>', at_);
}

bool HtmlTokenizer::Next(bool in_foreign, HtmlToken& token) {
  token = HtmlToken();
  if (at_ == text_.size()) return false;
  token.source.begin = at_;
  token.kind = HtmlToken::Kind::kOther;
  const size_t text_end = FindText(at_);
  if (text_end > at_) {
    token.kind = HtmlToken::Kind::kText;
    at_ = text_end;
  } else if (text_[at_ + 1] == '!') {
    at_ = DeclarationEnd(in_foreign, token);
  } else if (text_[at_ + 1] == '?') {
    at_ = EndOf('>', at_);
  } else if (text_[at_ + 1] != '/') {
    token.kind = HtmlToken::Kind::kStartTag;
    at_ += 1;
    ReadTag(token);
  } else if (absl::ascii_isalpha(text_[at_ + 2])) {
    token.kind = HtmlToken::Kind::kEndTag;
    at_ += 2;
    ReadTag(token);
  } else {
    at_ = EndOf('>', at_);  // </>, or a comment
  }
  token.source.end = at_;
  return true;
}

// Reads a tag from its name on. If the text ends in it, it is no tag.
void HtmlTokenizer::ReadTag(HtmlToken& token) {
  const size_t begin = at_;
  while (at_ < text_.size() && !EndsTagName(text_[at_])) ++at_;
  token.name = text_.substr(begin, at_ - begin);
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '>') {
      ++at_;
      return;
    }
    if (c == '/' && IsAt(at_ + 1, ">")) {
      token.is_self_closing = true;
      at_ += 2;
      return;
    }
    if (IsSpace(c) || c == '/') {
      ++at_;
    } else {
      ReadAttribute(token);
    }
  }
  token.kind = HtmlToken::Kind::kOther;
}

void HtmlTokenizer::ReadAttribute(HtmlToken& token) {
  const size_t begin = at_++;  // a name may begin with '='
  while (at_ < text_.size() && !EndsTagName(text_[at_]) && text_[at_] != '=') {
    ++at_;
  }
  const absl::string_view name = text_.substr(begin, at_ - begin);
  const auto skip_space = [&] {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  };
  skip_space();
  absl::string_view value = "";
  if (IsAt(at_, "=")) {
    ++at_;
    skip_space();
    if (IsAt(at_, "\"") || IsAt(at_, "'")) {
      const size_t value_begin = at_ + 1;
      const size_t end =
          std::min(text_.find(text_[at_], value_begin), text_.size());
      value = text_.substr(value_begin, end - value_begin);
      at_ = std::min(end + 1, text_.size());
    } else {
      const size_t value_begin = at_;
      while (at_ < text_.size() && !IsSpace(text_[at_]) && text_[at_] != '>') {
        ++at_;
      }
      value = text_.substr(value_begin, at_ - value_begin);
    }
  }
  // Browsers ignore all attributes of a name except the first.
  const auto set = [&](absl::string_view lower, absl::string_view& target) {
    if (target.data() == nullptr && absl::EqualsIgnoreCase(name, lower)) {
      target = value;
    }
  };
  set("translate", token.translate);
  set("class", token.css_class);
}

TextRange HtmlTokenizer::ReadRawText(absl::string_view name) {
  const size_t begin = at_;
  for (; at_ < text_.size(); ++at_) {
    at_ = std::min(text_.find('<', at_), text_.size());
    if (IsEndTagAt(at_, name)) break;
  }
  at_ = std::min(at_, text_.size());
  return {begin, at_};
}

// A script may contain "<!--", and within that <script> elements, whose end
// tags do not end it.
TextRange HtmlTokenizer::ReadScript() {
  const size_t begin = at_;
  bool is_escaped = false;        // in "<!-- ... -->"
  bool is_escaped_twice = false;  // and there in "<script> ... </script>"
  for (; at_ < text_.size(); ++at_) {
    at_ = std::min(text_.find_first_of("<-", at_), text_.size());
    if (IsAt(at_, "-->")) {
      is_escaped = is_escaped_twice = false;
    } else if (IsEndTagAt(at_, "script")) {
      if (!is_escaped_twice) break;
      is_escaped_twice = false;
    } else if (!is_escaped && IsAt(at_, "<!--")) {
      is_escaped = true;
      at_ += 1;  // "<!-->" ends it at once
    } else if (is_escaped && !is_escaped_twice && IsAt(at_, "<script") &&
               at_ + 7 < text_.size() && EndsTagName(text_[at_ + 7])) {
      is_escaped_twice = true;
    }
  }
  at_ = std::min(at_, text_.size());
  return {begin, at_};
}

TextRange HtmlTokenizer::ReadToEnd() {
  const size_t begin = at_;
  at_ = text_.size();
  return {begin, at_};
}

}  // namespace sheaf
