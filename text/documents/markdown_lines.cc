// SPDX-License-Identifier: Apache-2.0

#include "text/documents/markdown_lines.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace sheaf {
namespace {

size_t RunSize(absl::string_view line, char c) {
  return std::min(line.find_first_not_of(c), line.size());
}

bool IsSpaceAt(absl::string_view line, size_t at) {
  return at >= line.size() || line[at] == ' ' || line[at] == '\t';
}

// The tags that begin a block wherever they stand (CommonMark 4.6, 6).
bool IsBlockTag(absl::string_view name) {
  constexpr absl::string_view kNames[] = {
      "address",  "article",    "aside",   "base",     "basefont", "blockquote",
      "body",     "caption",    "center",  "col",      "colgroup", "dd",
      "details",  "dialog",     "dir",     "div",      "dl",       "dt",
      "fieldset", "figcaption", "figure",  "footer",   "form",     "frame",
      "frameset", "h1",         "h2",      "h3",       "h4",       "h5",
      "h6",       "head",       "header",  "hr",       "html",     "iframe",
      "legend",   "li",         "link",    "main",     "menu",     "menuitem",
      "nav",      "noframes",   "ol",      "optgroup", "option",   "p",
      "param",    "search",     "section", "summary",  "table",    "tbody",
      "td",       "tfoot",      "th",      "thead",    "title",    "tr",
      "track",    "ul"};
  return std::binary_search(std::begin(kNames), std::end(kNames), name);
}

// Whether the line is one whole tag and white space.
bool IsOnlyATag(absl::string_view line) {
  char quote = 0;
  for (size_t i = 1; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '>') {
      return absl::StripAsciiWhitespace(line.substr(i + 1)).empty();
    } else if (c == '<') {
      return false;
    }
  }
  return false;
}

}  // namespace

int HeadingLevel(absl::string_view line, TextRange& content) {
  const size_t level = RunSize(line, '#');
  if (level == 0 || level > 6 || !IsSpaceAt(line, level)) return 0;
  content = Trim(line, {level, line.size()});
  // Marks at the end, set off by white space, and an id ("{#title}").
  size_t end = content.end;
  while (end > content.begin && line[end - 1] == '#') --end;
  if (end < content.end && (end == content.begin || IsSpaceAt(line, end - 1))) {
    content = Trim(line, {content.begin, end});
  }
  if (content.end > content.begin && line[content.end - 1] == '}') {
    const size_t open = line.rfind("{#", content.end);
    if (open != absl::string_view::npos && open > content.begin &&
        line.find('}', open) == content.end - 1) {
      content = Trim(line, {content.begin, open});
    }
  }
  return static_cast<int>(level);
}

bool IsThematicBreak(absl::string_view line) {
  if (line.empty() || !absl::StrContains("-*_", line.substr(0, 1))) {
    return false;
  }
  int count = 0;
  for (const char c : line) {
    if (c == line[0]) {
      ++count;
    } else if (c != ' ' && c != '\t') {
      return false;
    }
  }
  return count >= 3;
}

bool IsSetextUnderline(absl::string_view line) {
  line = absl::StripTrailingAsciiWhitespace(line);
  return !line.empty() && (line[0] == '=' || line[0] == '-') &&
         RunSize(line, line[0]) == line.size();
}

Fence OpeningFence(absl::string_view line) {
  if (absl::StripTrailingAsciiWhitespace(line) == "$$") return {'$', 2};
  for (const char mark : {'`', '~'}) {
    const size_t size = RunSize(line, mark);
    if (size < 3) continue;
    if (mark == '`' && absl::StrContains(line.substr(size), '`')) continue;
    return {mark, size};
  }
  return {};
}

bool ClosesFence(absl::string_view line, const Fence& fence) {
  const size_t size = RunSize(line, fence.mark);
  return size >= fence.size &&
         absl::StripAsciiWhitespace(line.substr(size)).empty();
}

ListMark ListMarkOf(absl::string_view line) {
  ListMark mark;
  if (line.empty()) return mark;
  if (absl::StrContains("-+*", line.substr(0, 1))) {
    if (IsSpaceAt(line, 1)) mark.size = 1;
    return mark;
  }
  size_t digits = 0;
  while (digits < line.size() && absl::ascii_isdigit(line[digits])) ++digits;
  if (digits == 0 || digits > 9 || digits == line.size() ||
      !absl::StrContains(".)", line.substr(digits, 1)) ||
      !IsSpaceAt(line, digits + 1)) {
    return mark;
  }
  mark.size = digits + 1;
  mark.is_ordered = true;
  mark.starts_at_one = line.substr(0, digits) == "1";
  return mark;
}

bool IsLinkDefinition(absl::string_view line, absl::string_view& label) {
  if (!absl::StartsWith(line, "[") || absl::StartsWith(line, "[^")) {
    return false;
  }
  size_t end = 1;
  while (end < line.size() && line[end] != ']' && line[end] != '[') {
    end += line[end] == '\\' ? 2 : 1;
  }
  if (end + 1 >= line.size() || line[end] != ']' || line[end + 1] != ':') {
    return false;
  }
  label = line.substr(1, end - 1);
  if (absl::StripAsciiWhitespace(label).empty()) return false;
  // A target, and a title if anything follows it.
  absl::string_view rest = absl::StripAsciiWhitespace(line.substr(end + 2));
  const bool is_bracketed = absl::StartsWith(rest, "<");
  const size_t target =
      is_bracketed ? rest.find('>') : rest.find_first_of(" \t");
  if (target == absl::string_view::npos) return !is_bracketed && !rest.empty();
  rest = absl::StripAsciiWhitespace(rest.substr(target + is_bracketed));
  return rest.empty() ||
         (rest.size() >= 2 && ((rest[0] == '"' && rest.back() == '"') ||
                               (rest[0] == '\'' && rest.back() == '\'') ||
                               (rest[0] == '(' && rest.back() == ')')));
}

size_t FootnoteMarkSize(absl::string_view line) {
  if (!absl::StartsWith(line, "[^")) return 0;
  const size_t end = line.find(']');
  if (end == absl::string_view::npos || end == 2 ||
      line.substr(end + 1, 1) != ":") {
    return 0;
  }
  const size_t text = line.find_first_not_of(" \t", end + 2);
  return std::min(text, line.size());
}

HtmlBlock HtmlBlockOf(absl::string_view line) {
  HtmlBlock block;
  if (line.size() < 2 || line[0] != '<') return block;
  block.is_begun = block.is_kept = true;
  if (absl::StartsWith(line, "<!--")) {
    block.end = "-->";
    return block;
  }
  if (absl::StartsWith(line, "<?")) {
    block.end = "?>";
    return block;
  }
  if (absl::StartsWith(line, "<![CDATA[")) {
    block.end = "]]>";
    return block;
  }
  if (line[1] == '!' && line.size() > 2 && absl::ascii_isalpha(line[2])) {
    block.end = ">";
    return block;
  }
  const size_t name_begin = line[1] == '/' ? 2 : 1;
  size_t end = name_begin;
  while (end < line.size() &&
         (absl::ascii_isalnum(line[end]) || line[end] == '-')) {
    ++end;
  }
  const std::string name =
      absl::AsciiStrToLower(line.substr(name_begin, end - name_begin));
  const bool name_ends = IsSpaceAt(line, end) || line[end] == '>' ||
                         absl::StartsWith(line.substr(end), "/>");
  if (name_begin == 1 && name_ends) {
    constexpr absl::string_view kEnds[][2] = {{"pre", "</pre>"},
                                              {"script", "</script>"},
                                              {"style", "</style>"},
                                              {"textarea", "</textarea>"}};
    for (const auto& [tag, tag_end] : kEnds) {
      if (name == tag) {
        block.end = tag_end;
        return block;
      }
    }
  }
  block.is_kept = false;
  if (name_ends && IsBlockTag(name)) return block;
  block.may_interrupt = false;
  block.is_begun = !name.empty() && name_ends && IsOnlyATag(line);
  return block;
}

std::vector<TextRange> TableCells(absl::string_view line) {
  std::vector<TextRange> cells;
  TextRange row = Trim(line, {0, line.size()});
  if (row.size() > 0 && line[row.begin] == '|') ++row.begin;
  size_t begin = row.begin;
  for (size_t at = row.begin; at < row.end; ++at) {
    if (line[at] == '\\') {
      ++at;
    } else if (line[at] == '|') {
      cells.push_back(Trim(line, {begin, at}));
      begin = at + 1;
    }
  }
  if (begin < row.end) cells.push_back(Trim(line, {begin, row.end}));
  return cells;
}

bool IsTableDelimiter(absl::string_view line, size_t num_cells) {
  if (!absl::StrContains(line, '-') ||
      line.find_first_not_of("|-: \t") != absl::string_view::npos) {
    return false;
  }
  const std::vector<TextRange> cells = TableCells(line);
  if (cells.size() != num_cells) return false;
  // A single column needs a bar, or it would be an underline.
  if (num_cells == 1 && !absl::StrContains(line, '|')) return false;
  return std::all_of(cells.begin(), cells.end(), [&](TextRange cell) {
    absl::string_view marks = Slice(line, cell);
    if (absl::StartsWith(marks, ":")) marks.remove_prefix(1);
    if (absl::EndsWith(marks, ":")) marks.remove_suffix(1);
    return !marks.empty() && RunSize(marks, '-') == marks.size();
  });
}

}  // namespace sheaf
