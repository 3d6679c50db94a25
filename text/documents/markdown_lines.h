// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "text/marks.h"

namespace sheaf {

// Kinds of lines of Markdown, without the marks of containers. `line` has no
// indentation and no line end.

// The level of "## Title", 0 for other lines. `content` gets the title within
// the line.
int HeadingLevel(absl::string_view line, TextRange& content);

// "---", "* * *"
bool IsThematicBreak(absl::string_view line);

// "===" or "---" below a paragraph.
bool IsSetextUnderline(absl::string_view line);

// A line that opens a block of code, of math or a directive.
struct Fence {
  char mark = 0;  // '`', '~' or '$'; 0: none
  size_t size = 0;
};
Fence OpeningFence(absl::string_view line);
bool ClosesFence(absl::string_view line, const Fence& fence);

// "- " or "12. ". `size` is 0 if there is none, otherwise that of the mark
// without white space after it.
struct ListMark {
  size_t size = 0;
  bool is_ordered = false;
  bool starts_at_one = true;
};
ListMark ListMarkOf(absl::string_view line);

// "[label]: target". `label` gets the label. A footnote ("[^1]: text") is none.
bool IsLinkDefinition(absl::string_view line, absl::string_view& label);
// The size of "[^1]: " with white space; 0 if the line does not begin so.
size_t FootnoteMarkSize(absl::string_view line);

// How a block of HTML that `line` begins ends.
struct HtmlBlock {
  bool is_begun = false;
  bool may_interrupt = true;  // a paragraph
  bool is_kept = false;       // a script, a comment, ...
  absl::string_view end;      // empty: a blank line
};
HtmlBlock HtmlBlockOf(absl::string_view line);

// The cells of a row, within the line and without white space around them.
std::vector<TextRange> TableCells(absl::string_view line);
// Whether the line is that below the head of a table with that number of cells.
bool IsTableDelimiter(absl::string_view line, size_t num_cells);

}  // namespace sheaf
