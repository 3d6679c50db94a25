// SPDX-License-Identifier: Apache-2.0

#include "text/documents/markdown_escape.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "text/documents/markdown_blocks.h"
#include "text/documents/markdown_lines.h"
#include "text/documents/markdown_links.h"

namespace sheaf {
namespace {

// Whether the bracket at `at` would begin a link, a definition or a footnote.
bool IsLinkText(absl::string_view text, size_t at,
                const std::unordered_set<std::string>& labels) {
  const size_t close = text.find_first_of("[]", at + 1);
  if (close == absl::string_view::npos || text[close] == '[') {
    return false;
  }
  const absl::string_view after = text.substr(close + 1, 1);
  return after == "(" || after == "[" || after == ":" ||
         text.substr(at + 1, 1) == "^" ||
         labels.count(NormalizedLabel(text.substr(at + 1, close - at - 1))) > 0;
}

bool IsEntity(absl::string_view text) {
  const size_t end = text.find_first_not_of(
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#", 1);
  return end != absl::string_view::npos && end > 1 && text[end] == ';';
}

// One piece of text between others.
class PieceWriter {
 public:
  PieceWriter(absl::string_view text, absl::string_view next_code,
              const MarkdownEscape& escape,
              const std::unordered_set<std::string>& labels, std::string& out)
      : text_(text),
        next_code_(next_code),
        escape_(escape),
        labels_(labels),
        out_(out) {}

  void Run() {
    for (size_t at = 0; at < text_.size(); ++at) {
      const char c = text_[at];
      if (c == '[') ++num_open_;
      if (NeedsBackslash(at)) out_ += '\\';
      if (c == ']' && num_open_ > 0) --num_open_;
      if (c == '\r') continue;
      out_ += c == '\n' ? ' ' : c;
    }
  }

 private:
  char Before(size_t at) const {
    if (at > 0) return text_[at - 1];
    return out_.empty() ? ' ' : out_.back();
  }
  char After(size_t at) const {
    if (at + 1 < text_.size()) return text_[at + 1];
    return next_code_.empty() ? ' ' : next_code_[0];
  }

  bool NeedsBackslash(size_t at) const {
    const char before = Before(at);
    const char after = After(at);
    const bool is_spaced =
        absl::ascii_isspace(before) && absl::ascii_isspace(after);
    switch (text_[at]) {
      case '`':
        return true;
      case '\\':
        return absl::ascii_ispunct(after);
      case '*':
        return !is_spaced;
      case '_':
        return !is_spaced && !(IsWordByte(before) && IsWordByte(after));
      case '~':
        return before == '~' || after == '~';
      case '[':
        return IsLinkText(text_, at, labels_);
      case ']':
        return num_open_ == 0;
      case '!':
        return after == '[' && at + 1 == text_.size();
      case '<':
        return absl::ascii_isalpha(after) || after == '/' || after == '!' ||
               after == '?';
      case '&':
        return IsEntity(text_.substr(at));
      case '|':
        return escape_.is_cell;
      case '#':
        return escape_.is_heading && at + 1 == text_.size() &&
               next_code_.empty();
      default:
        return false;
    }
  }

  static bool IsWordByte(char c) {
    return absl::ascii_isalnum(c) || (c & 0x80) != 0;
  }

  const absl::string_view text_;
  const absl::string_view next_code_;
  const MarkdownEscape& escape_;
  const std::unordered_set<std::string>& labels_;
  std::string& out_;
  int num_open_ = 0;  // brackets
};

// Puts a backslash before what would begin another block.
void EscapeBegin(std::string& text, std::vector<TextRange>& codes) {
  if (text.empty() || MayContinueParagraph(text)) return;
  size_t at = 0;
  if (absl::ascii_isdigit(text[0])) at = ListMarkOf(text).size - 1;
  if (text[0] == '<' || text[0] == '`' || text[0] == '\\') return;
  text.insert(at, 1, '\\');
  for (TextRange& code : codes) {
    ++code.begin;
    ++code.end;
  }
}

}  // namespace

bool MayContinueParagraph(absl::string_view text) {
  if (text.empty()) return true;
  TextRange content;
  return ListMarkOf(text).size == 0 && !IsThematicBreak(text) &&
         HeadingLevel(text, content) == 0 && text[0] != '>' && text[0] != '=' &&
         text[0] != '|' && text[0] != '<' && text[0] != '-' &&
         OpeningFence(text).mark == 0 && !absl::StartsWith(text, ":::") &&
         !absl::StartsWith(text, "$$") && !absl::StartsWith(text, "[^");
}

std::string WriteMarkdown(const std::vector<InlinePiece>& pieces,
                          const MarkdownEscape& escape,
                          const std::unordered_set<std::string>& labels,
                          std::vector<TextRange>& codes) {
  std::string out;
  std::string text;  // of adjacent pieces
  for (size_t i = 0; i <= pieces.size(); ++i) {
    const bool is_end = i == pieces.size();
    if (!is_end && !pieces[i].is_code) {
      text += pieces[i].text;
      continue;
    }
    const absl::string_view code =
        is_end ? absl::string_view() : pieces[i].text;
    PieceWriter(text, code, escape, labels, out).Run();
    text.clear();
    if (is_end) break;
    codes.push_back({out.size(), out.size() + code.size()});
    absl::StrAppend(&out, code);
  }
  if (escape.is_paragraph && (codes.empty() || codes[0].begin > 0)) {
    EscapeBegin(out, codes);
  }
  return out;
}

}  // namespace sheaf
