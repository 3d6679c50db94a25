// SPDX-License-Identifier: Apache-2.0

#include "text/documents/markdown_blocks.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "text/documents/line_ends.h"
#include "text/documents/markdown_lines.h"

namespace sheaf {
namespace {

constexpr int kCodeIndent = 4;  // columns

// A place in a line and its column, in which tabs end at multiples of 4.
struct Cursor {
  size_t at = 0;
  int column = 0;
};

struct Container {
  bool is_quote;
  int indent = 0;  // of a list item: the columns of white space of its lines
};

class BlockReader {
 public:
  BlockReader(absl::string_view text, MarkdownBlocks& blocks)
      : text_(text), blocks_(blocks) {}

  bool Run(size_t begin, size_t& deep);

 private:
  enum class Leaf { kNone, kParagraph, kFence, kHtml, kTable };

  // Moves the cursor over white space up to that column.
  void SkipBlanks(int end_column);
  // Moves the cursor over white space, and returns its columns.
  int SkipIndent();
  // Moves over that number of columns of white space.
  void SkipColumns(int columns);
  absl::string_view Rest() const {
    return text_.substr(cursor_.at, line_end_ - cursor_.at);
  }
  bool IsBlank() const { return absl::StripAsciiWhitespace(Rest()).empty(); }

  size_t SkipFrontMatter(size_t begin) const;
  bool ReadLine();
  size_t MatchContainers();
  // Returns false if they are nested too deep.
  bool OpenContainers(size_t& num_matched);
  bool StartsBlock(absl::string_view line) const;
  void ReadLeaf();
  bool ReadOpenLeaf();
  void ReadParagraphLine(absl::string_view line);
  void StartTable();
  void AddCells(TextRange line);
  void StartHtml(const HtmlBlock& block);
  void AddHtmlLine();
  void CloseLeaf();
  TextRange RangeOf(absl::string_view part) const {
    const size_t begin = part.data() - text_.data();
    return {begin, begin + part.size()};
  }

  const absl::string_view text_;
  MarkdownBlocks& blocks_;
  std::vector<Container> containers_;
  Cursor cursor_;
  size_t line_end_ = 0;  // without the line end
  Leaf leaf_ = Leaf::kNone;
  Fence fence_;
  HtmlBlock html_;
  std::vector<TextRange> lines_;  // of the paragraph or the HTML
};

void BlockReader::SkipBlanks(int end_column) {
  while (cursor_.at < line_end_ && cursor_.column < end_column) {
    if (text_[cursor_.at] == ' ') {
      ++cursor_.column;
    } else if (text_[cursor_.at] == '\t') {
      cursor_.column += 4 - cursor_.column % 4;
    } else {
      break;
    }
    ++cursor_.at;
  }
}

int BlockReader::SkipIndent() {
  const int begin = cursor_.column;
  SkipBlanks(std::numeric_limits<int>::max());
  return cursor_.column - begin;
}

void BlockReader::SkipColumns(int columns) {
  SkipBlanks(cursor_.column + columns);
}

bool BlockReader::Run(size_t begin, size_t& deep) {
  for (size_t at = SkipFrontMatter(begin); at < text_.size();) {
    line_end_ = LineEnd(text_, at);
    cursor_ = {at, 0};
    if (!ReadLine()) {
      deep = cursor_.at;
      return false;
    }
    at = line_end_ + LineBreakAt(text_, line_end_).size();
  }
  CloseLeaf();
  return true;
}

// Metadata in YAML ("---") or TOML ("+++").
size_t BlockReader::SkipFrontMatter(size_t begin) const {
  for (absl::string_view mark : {"---", "+++"}) {
    size_t at = begin;
    bool is_first = true;
    while (at < text_.size()) {
      const size_t end = LineEnd(text_, at);
      const absl::string_view line =
          absl::StripTrailingAsciiWhitespace(text_.substr(at, end - at));
      const bool is_mark =
          line == mark || (!is_first && mark == "---" && line == "...");
      at = end + LineBreakAt(text_, end).size();
      if (is_first && !is_mark) break;
      if (!is_first && is_mark) return std::min(at, text_.size());
      is_first = false;
    }
  }
  return begin;
}

// Returns false if containers are nested too deep.
bool BlockReader::ReadLine() {
  size_t num_matched = MatchContainers();
  const bool is_whole = num_matched == containers_.size();
  if (is_whole && ReadOpenLeaf()) return true;
  if (!is_whole && leaf_ != Leaf::kParagraph) CloseLeaf();
  if (!OpenContainers(num_matched)) return false;
  if (num_matched < containers_.size()) {
    // A line of a paragraph may lack the marks of its containers.
    const Cursor start = cursor_;
    SkipIndent();
    const bool is_lazy =
        leaf_ == Leaf::kParagraph && !IsBlank() && !StartsBlock(Rest());
    if (is_lazy) {
      lines_.push_back(RangeOf(Rest()));
      return true;
    }
    cursor_ = start;
    CloseLeaf();
    containers_.resize(num_matched);
  }
  ReadLeaf();
  return true;
}

// Moves over the marks of the open containers, and returns their number.
size_t BlockReader::MatchContainers() {
  size_t num_matched = 0;
  for (const Container& container : containers_) {
    const Cursor start = cursor_;
    const int indent = SkipIndent();
    if (container.is_quote) {
      if (indent >= kCodeIndent || !absl::StartsWith(Rest(), ">")) {
        cursor_ = start;
        break;
      }
      ++cursor_.at;
      ++cursor_.column;
      SkipColumns(1);
    } else if (IsBlank()) {
      cursor_ = start;
    } else {
      cursor_ = start;
      if (indent < container.indent) break;
      SkipColumns(container.indent);
    }
    ++num_matched;
  }
  return num_matched;
}

bool BlockReader::OpenContainers(size_t& num_matched) {
  for (;;) {
    const Cursor start = cursor_;
    const int indent = SkipIndent();
    const absl::string_view rest = Rest();
    const bool is_quote = absl::StartsWith(rest, ">");
    const ListMark mark = ListMarkOf(rest);
    const bool is_in_paragraph =
        leaf_ == Leaf::kParagraph && num_matched == containers_.size();
    bool is_item = mark.size > 0 && !IsThematicBreak(rest);
    if (is_item && is_in_paragraph) {
      // An empty item, or one of a list that begins elsewhere, is text.
      is_item = mark.starts_at_one &&
                !absl::StripAsciiWhitespace(rest.substr(mark.size)).empty();
      // "---" below a paragraph, with one mark.
      if (IsSetextUnderline(rest)) is_item = false;
    }
    if (indent >= kCodeIndent || (!is_quote && !is_item)) {
      cursor_ = start;
      return true;
    }
    CloseLeaf();
    containers_.resize(num_matched);
    if (containers_.size() == kMaxMarkdownDepth) return false;
    if (is_quote) {
      ++cursor_.at;
      ++cursor_.column;
      SkipColumns(1);
      containers_.push_back({/*is_quote=*/true});
    } else {
      cursor_.at += mark.size;
      cursor_.column += static_cast<int>(mark.size);
      const Cursor after_mark = cursor_;
      int spaces = SkipIndent();
      // The text begins with code, or the item is empty.
      if (spaces > kCodeIndent || IsBlank()) {
        spaces = 1;
        cursor_ = after_mark;
        SkipColumns(1);
      }
      containers_.push_back(
          {/*is_quote=*/false, indent + static_cast<int>(mark.size) + spaces});
      for (absl::string_view box : {"[ ] ", "[x] ", "[X] "}) {
        if (!absl::StartsWith(Rest(), box)) continue;
        cursor_.at += box.size();
        cursor_.column += static_cast<int>(box.size());
        break;
      }
    }
    num_matched = containers_.size();
  }
}

// Whether a line cannot continue a paragraph.
bool BlockReader::StartsBlock(absl::string_view line) const {
  TextRange content;
  const HtmlBlock html = HtmlBlockOf(line);
  return HeadingLevel(line, content) > 0 || IsThematicBreak(line) ||
         OpeningFence(line).mark != 0 || absl::StartsWith(line, ":::") ||
         (html.is_begun && html.may_interrupt);
}

// Reads a line of a leaf that takes lines as they are. Returns false if there
// is none, or it ends before this line.
bool BlockReader::ReadOpenLeaf() {
  const Cursor start = cursor_;
  switch (leaf_) {
    case Leaf::kFence:
      if (SkipIndent() < kCodeIndent && ClosesFence(Rest(), fence_)) {
        leaf_ = Leaf::kNone;
      }
      return true;
    case Leaf::kHtml:
      if (html_.end.empty() && IsBlank()) {
        CloseLeaf();
        return true;
      }
      AddHtmlLine();
      return true;
    case Leaf::kTable: {
      SkipIndent();
      const absl::string_view line = Rest();
      const bool is_row = !IsBlank() && !StartsBlock(line) &&
                          !absl::StartsWith(line, ">") &&
                          ListMarkOf(line).size == 0;
      if (is_row) {
        AddCells(RangeOf(line));
        return true;
      }
      leaf_ = Leaf::kNone;
      cursor_ = start;
      return false;
    }
    default:
      return false;
  }
}

void BlockReader::ReadLeaf() {
  const int indent = SkipIndent();
  const absl::string_view line = Rest();
  if (IsBlank()) {
    CloseLeaf();
    return;
  }
  if (indent >= kCodeIndent && leaf_ != Leaf::kParagraph) return;  // code
  if (indent >= kCodeIndent) {
    lines_.push_back(RangeOf(line));
    return;
  }
  TextRange content;
  if (HeadingLevel(line, content) > 0) {
    CloseLeaf();
    const size_t offset = RangeOf(line).begin;
    blocks_.texts.push_back({MarkdownText::Kind::kHeading,
                             {{offset + content.begin, offset + content.end}}});
    return;
  }
  if (const Fence fence = OpeningFence(line); fence.mark != 0) {
    CloseLeaf();
    fence_ = fence;
    leaf_ = Leaf::kFence;
    return;
  }
  if (leaf_ == Leaf::kParagraph && IsSetextUnderline(line)) {
    CloseLeaf();
    return;
  }
  if (IsThematicBreak(line) || absl::StartsWith(line, ":::")) {
    CloseLeaf();
    return;
  }
  const HtmlBlock html = HtmlBlockOf(line);
  if (html.is_begun && (html.may_interrupt || leaf_ != Leaf::kParagraph)) {
    CloseLeaf();
    StartHtml(html);
    return;
  }
  ReadParagraphLine(line);
}

void BlockReader::ReadParagraphLine(absl::string_view line) {
  if (leaf_ != Leaf::kParagraph) {
    absl::string_view label;
    if (IsLinkDefinition(line, label)) {
      blocks_.labels.insert(NormalizedLabel(label));
      return;
    }
    line.remove_prefix(FootnoteMarkSize(line));
    if (line.empty()) return;
    leaf_ = Leaf::kParagraph;
  } else if (lines_.size() == 1) {
    const size_t num_cells = TableCells(Slice(text_, lines_[0])).size();
    if (IsTableDelimiter(line, num_cells)) {
      StartTable();
      return;
    }
  }
  // Two spaces at the end of a line are a break.
  lines_.push_back(RangeOf(line));
}

void BlockReader::StartTable() {
  const TextRange head = lines_[0];
  lines_.clear();
  AddCells(head);
  leaf_ = Leaf::kTable;
}

void BlockReader::AddCells(TextRange line) {
  for (const TextRange cell : TableCells(Slice(text_, line))) {
    if (cell.size() == 0) continue;
    blocks_.texts.push_back(
        {MarkdownText::Kind::kCell,
         {{line.begin + cell.begin, line.begin + cell.end}}});
  }
}

void BlockReader::StartHtml(const HtmlBlock& block) {
  html_ = block;
  leaf_ = Leaf::kHtml;
  AddHtmlLine();
}

void BlockReader::AddHtmlLine() {
  const absl::string_view line = Rest();
  if (!html_.is_kept) lines_.push_back(RangeOf(line));
  if (html_.end.empty()) return;
  if (absl::StrContains(absl::AsciiStrToLower(line), html_.end)) CloseLeaf();
}

void BlockReader::CloseLeaf() {
  if (leaf_ == Leaf::kParagraph && !lines_.empty()) {
    // White space at the end of a paragraph is no break.
    const absl::string_view last =
        absl::StripTrailingAsciiWhitespace(Slice(text_, lines_.back()));
    lines_.back() = RangeOf(last);
    blocks_.texts.push_back(
        {MarkdownText::Kind::kParagraph, std::exchange(lines_, {})});
  } else if (leaf_ == Leaf::kHtml && !lines_.empty()) {
    const bool is_quoted =
        std::any_of(containers_.begin(), containers_.end(),
                    [](const Container& c) { return c.is_quote; });
    if (is_quoted) {
      for (const TextRange line : lines_) {
        blocks_.texts.push_back({MarkdownText::Kind::kHtml, {line}});
      }
    } else {
      blocks_.texts.push_back({MarkdownText::Kind::kHtml,
                               {{lines_.front().begin, lines_.back().end}}});
    }
  }
  lines_.clear();
  leaf_ = Leaf::kNone;
}

}  // namespace

bool FindMarkdownBlocks(absl::string_view text, size_t begin,
                        MarkdownBlocks& blocks, size_t& deep) {
  return BlockReader(text, blocks).Run(begin, deep);
}

std::string NormalizedLabel(absl::string_view label) {
  std::string normalized = absl::AsciiStrToLower(label);
  absl::RemoveExtraAsciiWhitespace(&normalized);
  return normalized;
}

}  // namespace sheaf
