// SPDX-License-Identifier: Apache-2.0

#include "text/documents/markdown_inlines.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "text/documents/line_wrap.h"
#include "text/documents/markdown_blocks.h"
#include "text/documents/markdown_links.h"
#include "text/marks.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr size_t kNone = static_cast<size_t>(-1);

// A part of the text. Brackets and delimiters are text unless they find their
// partners.
struct Node {
  enum class Kind {
    kText,
    kKept,     // code, an autolink, an entity
    kCode,     // stands alone
    kOpenTag,  // of HTML
    kCloseTag,
    kHardBreak,
    kSoftBreak,
    kDelimiters,  // a run of '*', '_' or '~'
    kLinkOpen,    // "[" or "![" of a link
    kLinkClose,   // "](target)"
  };
  Kind kind;
  std::string raw;
  std::string text = "";  // of kText and kKept; the name of a tag
  // Of kDelimiters: sizes of the marks that close and that open, in the order
  // in which they found their partners.
  std::vector<int> closes = {}, opens = {};
};

// A run of delimiters that still looks for partners.
struct Delimiter {
  size_t node;
  char mark;
  int size;  // left
  int full_size;
  bool can_open, can_close;
  size_t previous = kNone, next = kNone;
};

struct Bracket {
  size_t node;
  size_t content;    // position in the text after the bracket
  size_t delimiter;  // the last before the bracket; kNone: none
  bool is_image;
  bool has_brackets = false;  // in its content, which is thus no label
};

class InlineReader {
 public:
  InlineReader(absl::string_view text,
               const std::unordered_set<std::string>& labels)
      : text_(text), labels_(labels), spans_(text), tags_(text) {}

  void Run();
  void Emit(InlineText& out);

 private:
  void Add(Node::Kind kind, size_t size, std::string text = "");
  void AddText(size_t size) {
    Add(Node::Kind::kText, size, std::string(text_.substr(at_, size)));
  }
  void ReadEscape();
  void ReadBackticks();
  void ReadAngle();
  void ReadEntity();
  void ReadLineBreak();
  void ReadDelimiters(char mark);
  void ReadCloseBracket();
  void OpenBracket(bool is_image);
  void MatchDelimiters(size_t bottom);
  size_t FindOpener(size_t closer, size_t bottom);
  void Pair(size_t opener, size_t closer);
  void Remove(size_t delimiter);
  void MatchTags();

  const absl::string_view text_;
  const std::unordered_set<std::string>& labels_;
  CodeSpanFinder spans_;
  InlineTagFinder tags_;
  size_t at_ = 0;
  std::vector<Node> nodes_;
  std::vector<Delimiter> delimiters_;
  size_t last_delimiter_ = kNone;
  std::vector<Bracket> brackets_;
  // Brackets with a lower index, except for those of images, are text, because
  // a link contains no link.
  size_t num_inactive_ = 0;
};

void InlineReader::Add(Node::Kind kind, size_t size, std::string text) {
  nodes_.push_back(
      {kind, std::string(text_.substr(at_, size)), std::move(text)});
  at_ += size;
}

void InlineReader::Run() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '\\') {
      ReadEscape();
    } else if (c == '`') {
      ReadBackticks();
    } else if (c == '<') {
      ReadAngle();
    } else if (c == '&') {
      ReadEntity();
    } else if (c == '\n') {
      ReadLineBreak();
    } else if (c == '*' || c == '_' ||
               (c == '~' && absl::StartsWith(text_.substr(at_), "~~"))) {
      ReadDelimiters(c);
    } else if (c == '[') {
      OpenBracket(/*is_image=*/false);
    } else if (absl::StartsWith(text_.substr(at_), "![")) {
      OpenBracket(/*is_image=*/true);
    } else if (c == ']') {
      ReadCloseBracket();
    } else {
      const size_t end = text_.find_first_of("\\`<&\n*_~[!]", at_ + 1);
      AddText(std::min(end, text_.size()) - at_);
    }
  }
  MatchDelimiters(kNone);
  MatchTags();
}

void InlineReader::ReadEscape() {
  const absl::string_view next = text_.substr(at_ + 1, 1);
  if (next == "\n") {
    Add(Node::Kind::kHardBreak, 2);
    // The white space at the beginning of a line means nothing.
  } else if (!next.empty() && absl::ascii_ispunct(next[0])) {
    Add(Node::Kind::kText, 2, std::string(next));
  } else {
    AddText(1);
  }
}

void InlineReader::ReadBackticks() {
  const size_t size =
      std::min(text_.find_first_not_of('`', at_), text_.size()) - at_;
  const size_t end = spans_.EndOf(at_, size);
  if (end == kNone) {
    AddText(size);
    return;
  }
  std::string code(text_.substr(at_ + size, end - at_ - 2 * size));
  std::replace(code.begin(), code.end(), '\n', ' ');
  Add(Node::Kind::kKept, end - at_, std::move(code));
}

void InlineReader::ReadAngle() {
  const InlineTagFinder::Found found = tags_.Find(at_);
  switch (found.kind) {
    case InlineTagFinder::Kind::kNone:
      AddText(1);
      break;
    case InlineTagFinder::Kind::kAutolink:
      Add(Node::Kind::kKept, found.size,
          std::string(text_.substr(at_ + 1, found.size - 2)));
      break;
    case InlineTagFinder::Kind::kOpen:
      Add(Node::Kind::kOpenTag, found.size, found.name);
      break;
    case InlineTagFinder::Kind::kClose:
      Add(Node::Kind::kCloseTag, found.size, found.name);
      break;
    case InlineTagFinder::Kind::kAlone:
      Add(Node::Kind::kCode, found.size);
      break;
  }
}

void InlineReader::ReadEntity() {
  constexpr size_t kMaxBytes = 32;
  size_t end = at_ + 1;
  if (end < text_.size() && text_[end] == '#') ++end;
  const size_t begin = end;
  while (end < text_.size() && end < at_ + kMaxBytes &&
         absl::ascii_isalnum(text_[end])) {
    ++end;
  }
  if (end == begin || end == text_.size() || text_[end] != ';') {
    AddText(1);
    return;
  }
  const size_t size = end + 1 - at_;
  Add(Node::Kind::kKept, size, WithoutEntities(text_.substr(at_, size)));
}

void InlineReader::ReadLineBreak() {
  // Two spaces before it make it a hard one.
  if (!nodes_.empty() && nodes_.back().kind == Node::Kind::kText) {
    std::string& before = nodes_.back().text;
    const size_t end = before.find_last_not_of(' ') + 1;
    const size_t spaces = before.size() - end;
    before.resize(end);
    if (spaces >= 2) {
      nodes_.push_back({Node::Kind::kHardBreak,
                        absl::StrCat(std::string(spaces, ' '), "\n")});
      ++at_;
      return;
    }
  }
  Add(Node::Kind::kSoftBreak, 1);
}

void InlineReader::ReadDelimiters(char mark) {
  const size_t begin = at_;
  const size_t size =
      std::min(text_.find_first_not_of(mark, at_), text_.size()) - at_;
  const auto is_space = [](int32_t c) { return c == 0 || IsWhitespace(c); };
  const auto is_mark = [](int32_t c) {
    return c != 0 && !IsWhitespace(c) && !IsWordCharacter(c);
  };
  size_t left = begin, right = begin + size;
  const int32_t before = begin > 0 ? PreviousCharacter(text_, left) : 0;
  const int32_t after = right < text_.size() ? NextCharacter(text_, right) : 0;
  const bool is_left = !is_space(after) &&
                       (!is_mark(after) || is_space(before) || is_mark(before));
  const bool is_right = !is_space(before) &&
                        (!is_mark(before) || is_space(after) || is_mark(after));
  Delimiter run{nodes_.size(),          mark,    static_cast<int>(size),
                static_cast<int>(size), is_left, is_right};
  if (mark == '_') {
    run.can_open = is_left && (!is_right || is_mark(before));
    run.can_close = is_right && (!is_left || is_mark(after));
  }
  Add(Node::Kind::kDelimiters, size);
  if (!run.can_open && !run.can_close) return;
  if (mark == '~' && size != 2) return;
  run.previous = last_delimiter_;
  if (last_delimiter_ != kNone) {
    delimiters_[last_delimiter_].next = delimiters_.size();
  }
  last_delimiter_ = delimiters_.size();
  delimiters_.push_back(run);
}

void InlineReader::OpenBracket(bool is_image) {
  // A footnote is a code.
  if (!is_image && absl::StartsWith(text_.substr(at_), "[^")) {
    const size_t end = text_.find_first_of("] \n[", at_ + 1);
    if (end != absl::string_view::npos && text_[end] == ']' && end > at_ + 2) {
      Add(Node::Kind::kCode, end + 1 - at_);
      return;
    }
  }
  const size_t size = is_image ? 2 : 1;
  brackets_.push_back({nodes_.size(), at_ + size, last_delimiter_, is_image});
  AddText(size);
}

void InlineReader::ReadCloseBracket() {
  if (brackets_.empty()) {
    AddText(1);
    return;
  }
  const Bracket bracket = brackets_.back();
  brackets_.pop_back();
  if (!brackets_.empty()) brackets_.back().has_brackets = true;
  const bool is_active = bracket.is_image || brackets_.size() >= num_inactive_;
  num_inactive_ = std::min(num_inactive_, brackets_.size());
  if (!is_active) {
    AddText(1);
    return;
  }
  const absl::string_view content =
      text_.substr(bracket.content, at_ - bracket.content);
  size_t end = InlineTargetEnd(text_, at_ + 1);
  std::string raw;
  if (end != kNone) {
    raw = std::string(text_.substr(at_, end - at_));
  } else {
    end = ReferenceEnd(text_, at_ + 1);
    const absl::string_view label =
        end == kNone ? "" : text_.substr(at_ + 2, end - at_ - 3);
    if (!label.empty()) {
      if (labels_.count(NormalizedLabel(label)) == 0) end = kNone;
      if (end != kNone) raw = std::string(text_.substr(at_, end - at_));
    } else if (!bracket.has_brackets && content.size() <= kMaxLabelBytes &&
               labels_.count(NormalizedLabel(content)) > 0) {
      if (end == kNone) end = at_ + 1;
      raw = absl::StrCat("][", content, "]");
    } else {
      end = kNone;
    }
  }
  if (end == kNone) {
    AddText(1);
    return;
  }
  nodes_[bracket.node].kind = Node::Kind::kLinkOpen;
  nodes_.push_back({Node::Kind::kLinkClose, std::move(raw)});
  at_ = end;
  MatchDelimiters(bracket.delimiter);
  if (!bracket.is_image) num_inactive_ = brackets_.size();
}

void InlineReader::Remove(size_t delimiter) {
  Delimiter& run = delimiters_[delimiter];
  if (run.previous != kNone) delimiters_[run.previous].next = run.next;
  if (run.next != kNone) {
    delimiters_[run.next].previous = run.previous;
  } else {
    last_delimiter_ = run.previous;
  }
}

// CommonMark's "process emphasis" for the delimiters after `bottom`.
void InlineReader::MatchDelimiters(size_t bottom) {
  // For each kind of closer, the delimiter below which no opener is.
  std::unordered_map<int, size_t> bottoms;
  size_t closer = last_delimiter_;
  while (closer != kNone && delimiters_[closer].previous != bottom) {
    closer = delimiters_[closer].previous;
  }
  while (closer != kNone) {
    Delimiter& run = delimiters_[closer];
    const size_t next = run.next;
    if (!run.can_close) {
      closer = next;
      continue;
    }
    const int key =
        (run.mark * 2 + (run.can_open ? 1 : 0)) * 3 + run.full_size % 3;
    const auto known = bottoms.find(key);
    const size_t opener =
        FindOpener(closer, known == bottoms.end() ? bottom : known->second);
    if (opener == kNone) {
      bottoms[key] = run.previous == kNone ? bottom : run.previous;
      if (!run.can_open) Remove(closer);
      closer = next;
      continue;
    }
    // Delimiters between the two find no partners any more.
    while (delimiters_[closer].previous != opener) {
      Remove(delimiters_[closer].previous);
    }
    Pair(opener, closer);
    if (delimiters_[opener].size == 0) Remove(opener);
    if (delimiters_[closer].size == 0) {
      Remove(closer);
      closer = next;
    }
  }
  while (last_delimiter_ != bottom && last_delimiter_ != kNone) {
    Remove(last_delimiter_);
  }
}

size_t InlineReader::FindOpener(size_t closer, size_t bottom) {
  const Delimiter& run = delimiters_[closer];
  // The delimiter `bottom` itself may be gone.
  for (size_t i = run.previous; i != kNone && (bottom == kNone || i > bottom);
       i = delimiters_[i].previous) {
    const Delimiter& opener = delimiters_[i];
    if (!opener.can_open || opener.mark != run.mark) continue;
    const bool is_odd = (opener.can_close || run.can_open) &&
                        (opener.full_size + run.full_size) % 3 == 0 &&
                        (opener.full_size % 3 != 0 || run.full_size % 3 != 0);
    if (!is_odd || run.mark == '~') return i;
  }
  return kNone;
}

void InlineReader::Pair(size_t opener, size_t closer) {
  Delimiter& open = delimiters_[opener];
  Delimiter& close = delimiters_[closer];
  const int size = open.size >= 2 && close.size >= 2 ? 2 : 1;
  nodes_[open.node].opens.push_back(size);
  nodes_[close.node].closes.push_back(size);
  open.size -= size;
  close.size -= size;
}

// Makes codes of the tags that form no element within the emphasis and links
// around them.
void InlineReader::MatchTags() {
  std::vector<size_t> open;  // nodes of tags; kNone: an emphasis or a link
  for (size_t i = 0; i < nodes_.size(); ++i) {
    Node& node = nodes_[i];
    const auto close = [&] {
      while (open.back() != kNone) {
        nodes_[open.back()].kind = Node::Kind::kCode;
        open.pop_back();
      }
      open.pop_back();
    };
    if (node.kind == Node::Kind::kLinkOpen) {
      open.push_back(kNone);
    } else if (node.kind == Node::Kind::kLinkClose) {
      close();
    } else if (node.kind == Node::Kind::kDelimiters) {
      for (size_t k = 0; k < node.closes.size(); ++k) close();
      open.insert(open.end(), node.opens.size(), kNone);
    } else if (node.kind == Node::Kind::kOpenTag) {
      open.push_back(i);
    } else if (node.kind == Node::Kind::kCloseTag) {
      if (!open.empty() && open.back() != kNone &&
          nodes_[open.back()].text == node.text) {
        open.pop_back();
      } else {
        node.kind = Node::Kind::kCode;
      }
    }
  }
  for (const size_t i : open) nodes_[i].kind = Node::Kind::kCode;
}

void InlineReader::Emit(InlineText& out) {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    switch (node.kind) {
      case Node::Kind::kText:
        out.AddText(node.text);
        break;
      case Node::Kind::kKept:
        out.AddKept(node.raw, node.text);
        break;
      case Node::Kind::kCode:
        out.AddCode(node.raw);
        break;
      case Node::Kind::kHardBreak:
        out.AddBreak(node.raw);
        break;
      case Node::Kind::kSoftBreak: {
        absl::string_view before, after;
        if (i > 0) before = nodes_[i - 1].text;
        if (i + 1 < nodes_.size()) after = nodes_[i + 1].text;
        const bool is_text = !before.empty() && !after.empty();
        out.AddText(is_text ? JointOfLines(before, after) : " ");
        break;
      }
      case Node::Kind::kOpenTag:
      case Node::Kind::kLinkOpen:
        out.Open(node.raw);
        break;
      case Node::Kind::kCloseTag:
      case Node::Kind::kLinkClose:
        out.Close(node.raw);
        break;
      case Node::Kind::kDelimiters: {
        size_t left = node.raw.size();
        for (const int size : node.closes) {
          out.Close(absl::string_view(node.raw).substr(0, size));
          left -= size;
        }
        for (const int size : node.opens) left -= size;
        out.AddText(absl::string_view(node.raw).substr(0, left));
        for (auto it = node.opens.rbegin(); it != node.opens.rend(); ++it) {
          out.Open(absl::string_view(node.raw).substr(0, *it));
        }
        break;
      }
    }
  }
}

}  // namespace

void AddMarkdown(absl::string_view text,
                 const std::unordered_set<std::string>& labels,
                 InlineText& out) {
  InlineReader reader(text, labels);
  reader.Run();
  reader.Emit(out);
}

}  // namespace sheaf
