// SPDX-License-Identifier: Apache-2.0

#include "text/documents/message_format.h"

#include <cstddef>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"

namespace sheaf {
namespace {

// A name or a number. ICU allows no sign of its syntax in it, and some programs
// that read its format take these three.
bool IsArgumentName(absl::string_view name) {
  name = absl::StripAsciiWhitespace(name);
  return !name.empty() && absl::c_none_of(name, [](char c) {
    const bool is_sign =
        absl::ascii_ispunct(c) && c != '_' && c != '-' && c != '.';
    return is_sign || absl::ascii_isspace(c) || absl::ascii_iscntrl(c);
  });
}

// Reads a message with a stack of its own, so that nesting costs no stack.
class Reader {
 public:
  explicit Reader(absl::string_view text) : text_(text) {}

  // Returns whether the message is well-formed and has a complex argument.
  bool Run() {
    bool is_complex = false;
    size_t begin = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\'') {
        SkipQuoted();
      } else if (c == '{') {
        const size_t argument = at_;
        const int kind = ReadArgumentStart();
        if (kind < 0) return false;
        if (kind == 0) continue;  // a simple one
        is_complex = true;
        Add(begin, argument);
        if (!EnterBranch()) return false;
        ++depth_;
        begin = at_;
      } else if (c == '}') {
        if (depth_ == 0) return false;
        Add(begin, at_);
        ++at_;
        // Another branch, or the end of the argument.
        SkipSpaces();
        if (at_ < text_.size() && text_[at_] == '}') {
          --depth_;
          ++at_;
        } else if (!EnterBranch()) {
          return false;
        }
        begin = at_;
      } else {
        ++at_;
      }
    }
    Add(begin, text_.size());
    return is_complex && depth_ == 0;
  }

  std::vector<TextRange> Take() { return std::move(ranges_); }

 private:
  void Add(size_t begin, size_t end) {
    if (begin < end) ranges_.push_back({begin, end});
  }

  void SkipSpaces() {
    while (at_ < text_.size() && absl::ascii_isspace(text_[at_])) ++at_;
  }

  // An apostrophe quotes only before a brace or '#'.
  void SkipQuoted() {
    ++at_;
    if (at_ == text_.size()) return;
    const char next = text_[at_];
    if (next == '\'') {
      ++at_;
    } else if (next == '{' || next == '}' || next == '#') {
      const size_t end = text_.find('\'', at_ + 1);
      at_ = end == absl::string_view::npos ? text_.size() : end + 1;
    }
  }

  // At '{'. Returns 1 after "{name, plural," and the like, 0 after a whole
  // simple argument, -1 if neither is there.
  int ReadArgumentStart() {
    const size_t end = text_.find_first_of(",{}", at_ + 1);
    if (end == absl::string_view::npos || text_[end] == '{') return -1;
    if (!IsArgumentName(text_.substr(at_ + 1, end - at_ - 1))) return -1;
    if (text_[end] == '}') {
      at_ = end + 1;
      return 0;
    }
    const size_t type_end = text_.find_first_of(",{}", end + 1);
    if (type_end == absl::string_view::npos || text_[type_end] == '{') {
      return -1;
    }
    const absl::string_view type =
        absl::StripAsciiWhitespace(text_.substr(end + 1, type_end - end - 1));
    const bool is_complex =
        type == "plural" || type == "select" || type == "selectordinal";
    if (text_[type_end] == '}') {
      at_ = type_end + 1;
      return is_complex ? -1 : 0;
    }
    if (is_complex) {
      at_ = type_end + 1;
      return 1;
    }
    const size_t close = text_.find_first_of("{}", type_end);
    if (close == absl::string_view::npos || text_[close] == '{') return -1;
    at_ = close + 1;
    return 0;
  }

  // Moves over "one {" or "offset:1 =0 {".
  bool EnterBranch() {
    const size_t open = text_.find_first_of("{}", at_);
    if (open == absl::string_view::npos || text_[open] == '}') return false;
    if (absl::StripAsciiWhitespace(text_.substr(at_, open - at_)).empty()) {
      return false;
    }
    at_ = open + 1;
    return true;
  }

  const absl::string_view text_;
  size_t at_ = 0;
  int64_t depth_ = 0;  // complex arguments that are open
  std::vector<TextRange> ranges_;
};

}  // namespace

std::vector<TextRange> MessageTexts(absl::string_view text) {
  Reader reader(text);
  if (!reader.Run()) return {};
  return reader.Take();
}

}  // namespace sheaf
