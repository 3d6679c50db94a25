// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "absl/strings/string_view.h"
#include "text/marks.h"

namespace sheaf {

// A text of a Markdown file that is to be translated.
struct MarkdownText {
  enum class Kind { kParagraph, kHeading, kCell, kHtml };
  Kind kind;
  // The lines without the marks of their block quotes and lists, indentation
  // and line ends. One line unless it is a paragraph.
  std::vector<TextRange> lines;
};

struct MarkdownBlocks {
  std::vector<MarkdownText> texts;  // in order
  // The labels of link definitions, as NormalizedLabel() returns them.
  std::unordered_set<std::string> labels;
};

// Block quotes and lists may be nested this deep.
inline constexpr size_t kMaxMarkdownDepth = 64;

// Finds the blocks of a file of CommonMark with tables, footnotes, front matter
// and blocks of math ("$$") and directives (":::"). Code, definitions of links,
// and HTML blocks of scripts, styles, <pre> and comments are no texts.
//
// Returns false, and the position in `deep`, if blocks are nested more than
// kMaxMarkdownDepth deep. The time is linear.
bool FindMarkdownBlocks(absl::string_view text, size_t begin,
                        MarkdownBlocks& blocks, size_t& deep);

// Labels match whatever their case and white space.
std::string NormalizedLabel(absl::string_view label);

}  // namespace sheaf
