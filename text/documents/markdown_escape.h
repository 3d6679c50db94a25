// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "absl/strings/string_view.h"
#include "text/documents/inline_text.h"

namespace sheaf {

// Writes the pieces of a block's text. Characters of text that Markdown would
// read as marks get a backslash. `codes` gets the ranges of the result that are
// codes; `labels` are those of the file's link definitions.
struct MarkdownEscape {
  bool is_paragraph = false;  // the text may begin like another block
  bool is_cell = false;       // bars end it
  bool is_heading = false;    // marks of headings end it
};
std::string WriteMarkdown(const std::vector<InlinePiece>& pieces,
                          const MarkdownEscape& escape,
                          const std::unordered_set<std::string>& labels,
                          std::vector<TextRange>& codes);

// Whether a line of a paragraph may begin with `text` and still continue it.
bool MayContinueParagraph(absl::string_view text);

}  // namespace sheaf
