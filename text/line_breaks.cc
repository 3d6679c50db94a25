// SPDX-License-Identifier: Apache-2.0

#include "text/line_breaks.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "text/full_stop.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr int kCodeIndent = 4;  // columns
constexpr int kTabColumns = 4;

enum class LineKind {
  kText,
  kItem,   // begins a list item
  kFence,  // begins or ends fenced code
  kOther,  // never joined
};

struct Line {
  absl::string_view text;     // without white space at its ends
  absl::string_view ending;   // white space and line break after it
  absl::string_view leading;  // white space before it
  int indent = 0;             // columns of `leading`
  LineKind kind = LineKind::kOther;
};

int Columns(absl::string_view text) {
  int columns = 0;
  for (size_t at = 0; at < text.size();) {
    columns += NextCharacter(text, at) == '\t' ? kTabColumns : 1;
  }
  return columns;
}

// "- ", "1. ", "2) ", "(3) ", "a) ", "• "
bool IsItem(absl::string_view line) {
  constexpr size_t kMaxDigits = 3;
  for (const char* mark : {"- ", "* ", "+ ", "\u2022 ", "\u2023 ", "\u25E6 ",
                           "\u2013 ", "\u2014 ", "\u00B7 "}) {
    if (absl::StartsWith(line, mark)) return true;
  }
  const bool is_in_brackets = absl::ConsumePrefix(&line, "(");
  size_t digits = 0;
  while (digits < line.size() && absl::ascii_isdigit(line[digits])) ++digits;
  const bool is_letter =
      digits == 0 && !line.empty() && absl::ascii_isalpha(line[0]);
  if (digits > kMaxDigits || (digits == 0 && !is_letter)) return false;
  line.remove_prefix(is_letter ? 1 : digits);
  return absl::StartsWith(line, ") ") ||
         (!is_in_brackets && !is_letter && absl::StartsWith(line, ". "));
}

// "# Title", "> quoted", "| cell |"
bool HasOwnLine(absl::string_view line) {
  return line[0] == '#' || line[0] == '>' || line[0] == '|';
}

LineKind KindOf(absl::string_view line) {
  if (absl::StartsWith(line, "```") || absl::StartsWith(line, "~~~")) {
    return LineKind::kFence;
  }
  if (!HasLetterOrDigit(line) || HasOwnLine(line)) return LineKind::kOther;
  return IsItem(line) ? LineKind::kItem : LineKind::kText;
}

// Takes the line at the beginning of `rest`.
Line TakeLine(absl::string_view& rest) {
  const size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
  size_t next = end;
  if (next < rest.size()) {
    next += absl::StartsWith(rest.substr(end), "\r\n") ? 2 : 1;
  }
  const absl::string_view whole = rest.substr(0, next);
  rest.remove_prefix(next);
  Line line;
  line.text = absl::StripAsciiWhitespace(whole);
  const size_t begin = line.text.empty() ? 0 : line.text.data() - whole.data();
  line.leading = whole.substr(0, begin);
  line.ending = whole.substr(begin + line.text.size());
  line.indent = Columns(line.leading);
  line.kind = KindOf(line.text);
  return line;
}

// Whether terminal punctuation ends the line, before closing quotes and
// brackets.
bool EndsWithTerminal(absl::string_view line) {
  for (size_t at = line.size(); at > 0;) {
    const int32_t last = PreviousCharacter(line, at);
    switch (SentenceBreak(last)) {
      case U_SB_ATERM:
      case U_SB_STERM:
        return true;
      case U_SB_CLOSE:
        continue;
      default:
        return last == ':' || last == 0x2026;
    }
  }
  return false;
}

int32_t FirstCharacter(absl::string_view text) {
  size_t at = 0;
  return NextCharacter(text, at);
}

int32_t LastCharacter(absl::string_view text) {
  size_t at = text.size();
  return PreviousCharacter(text, at);
}

// Whether words in the script of the character are written without spaces.
bool NeedsNoSpaces(int32_t character) {
  if (u_getIntPropertyValue(character, UCHAR_LINE_BREAK) ==
      U_LB_COMPLEX_CONTEXT) {
    return true;  // Thai, Lao, Khmer, Burmese
  }
  const int32_t width =
      u_getIntPropertyValue(character, UCHAR_EAST_ASIAN_WIDTH);
  return (width == U_EA_WIDE || width == U_EA_FULLWIDTH) &&
         u_getIntPropertyValue(character, UCHAR_SCRIPT) != USCRIPT_HANGUL;
}

absl::string_view FirstWord(absl::string_view line) {
  return line.substr(0, line.find_first_of(" \t"));
}

// True for "well-" before "known", and false for "Vor-" before "und Nachteile".
bool DividesWord(absl::string_view line, absl::string_view next) {
  if (!absl::ConsumeSuffix(&line, "-") || line.empty() ||
      !u_isalpha(LastCharacter(line)) || !IsLowerCase(FirstCharacter(next))) {
    return false;
  }
  for (const char* conjunction :
       {"and", "or", "to", "und", "oder", "bis", "et", "ou", "y", "o", "e",
        "en", "of", "i", "lub"}) {
    if (FirstWord(next) == conjunction) return false;
  }
  return true;
}

absl::string_view Between(absl::string_view line, absl::string_view next) {
  return DividesWord(line, next) || (NeedsNoSpaces(LastCharacter(line)) &&
                                     NeedsNoSpaces(FirstCharacter(next)))
             ? ""
             : " ";
}

bool KeepsBreak(const Line& line) {
  return absl::StartsWith(line.ending, "  ") || absl::EndsWith(line.text, "\\");
}

using Paragraph = std::vector<Line>;

// Whether `line` continues the paragraph, which may be empty.
bool ContinuesParagraph(const Paragraph& paragraph, const Line& line) {
  if (paragraph.empty() || line.kind != LineKind::kText ||
      KeepsBreak(paragraph.back())) {
    return false;
  }
  if (paragraph.front().kind == LineKind::kItem) {
    return line.indent > paragraph.front().indent;
  }
  return line.indent <= paragraph.back().indent;
}

// Whether the paragraph is certainly hard-wrapped, as JoinLines() describes.
bool IsWrapped(const Paragraph& paragraph) {
  constexpr int kMinColumns = 25;
  constexpr int kMinLongColumns = 50;
  constexpr int kMaxColumns = 80;
  constexpr int kSlackColumns = 5;  // some programs balance the lines
  constexpr size_t kCertainLines = 3;
  const size_t num_breaks = paragraph.size() - 1;
  std::vector<int> columns;
  for (const Line& line : paragraph) {
    columns.push_back(line.indent + Columns(line.text));
  }
  const int width = *std::max_element(columns.begin(), columns.end());
  const bool is_long = width >= kMinLongColumns;
  if (width < kMinColumns || width > kMaxColumns ||
      (!is_long && paragraph.size() < kCertainLines)) {
    return false;
  }
  size_t num_continued = 0;
  for (size_t i = 0; i < num_breaks; ++i) {
    const absl::string_view next = paragraph[i + 1].text;
    const int needed = columns[i] + 1 + Columns(FirstWord(next)) +
                       (is_long ? kSlackColumns : 0);
    if (needed <= width) return false;
    num_continued += !EndsWithTerminal(paragraph[i].text) &&
                     IsLowerCase(FirstCharacter(next));
  }
  const absl::string_view text = paragraph.front().text;
  size_t first = 0;
  while (!IsLetterOrDigit(FirstCharacter(text.substr(first)))) {
    NextCharacter(text, first);
  }
  const bool begins_small = IsLowerCase(FirstCharacter(text.substr(first)));
  if (begins_small && (!is_long || paragraph.size() < kCertainLines)) {
    return false;
  }
  return EndsWithTerminal(paragraph.back().text) && num_continued > 0 &&
         (is_long ? 3 * num_continued >= num_breaks
                  : num_continued == num_breaks);
}

class Joiner {
 public:
  Joiner(LineBreaks line_breaks, absl::FunctionRef<bool()> is_wanted)
      : line_breaks_(line_breaks), is_wanted_(is_wanted) {}

  std::string Join(absl::string_view text) {
    constexpr size_t kBytesAtOnce = 16 << 10;
    size_t left_at_next_question = text.size();
    bool is_fenced = false;
    bool is_signature = false;
    for (absl::string_view rest = text; !rest.empty();) {
      if (rest.size() <= left_at_next_question) {
        if (!is_wanted_()) break;
        left_at_next_question =
            rest.size() - std::min(rest.size(), kBytesAtOnce);
      }
      Line line = TakeLine(rest);
      is_fenced ^= line.kind == LineKind::kFence;
      is_signature = is_signature ||
                     (line.text == "--" && absl::StartsWith(line.ending, " "));
      const bool is_continuation = ContinuesParagraph(paragraph_, line);
      const bool is_code = !is_continuation && line.indent >= kCodeIndent &&
                           line.kind == LineKind::kText;
      if (is_fenced || is_signature || is_code) line.kind = LineKind::kOther;
      if (!is_continuation || line.kind == LineKind::kOther) Flush();
      paragraph_.push_back(line);
      if (line.kind != LineKind::kText && line.kind != LineKind::kItem) Flush();
    }
    Flush();
    return std::move(joined_);
  }

 private:
  // Writes and clears the paragraph.
  void Flush() {
    const bool is_joined =
        paragraph_.size() > 1 &&
        (line_breaks_ == LineBreaks::kParagraphs || IsWrapped(paragraph_));
    for (size_t i = 0; i < paragraph_.size(); ++i) {
      const Line& line = paragraph_[i];
      if (!is_joined || i == 0) absl::StrAppend(&joined_, line.leading);
      absl::StrAppend(&joined_, line.text);
      if (!is_joined || i + 1 == paragraph_.size()) {
        absl::StrAppend(&joined_, line.ending);
      } else {
        absl::StrAppend(&joined_, Between(line.text, paragraph_[i + 1].text));
      }
    }
    paragraph_.clear();
  }

  const LineBreaks line_breaks_;
  const absl::FunctionRef<bool()> is_wanted_;
  Paragraph paragraph_;
  std::string joined_;
};

}  // namespace

std::string JoinLines(absl::string_view text, LineBreaks line_breaks,
                      absl::FunctionRef<bool()> is_wanted) {
  if (line_breaks == LineBreaks::kKeep) return std::string(text);
  return Joiner(line_breaks, is_wanted).Join(text);
}

}  // namespace sheaf
