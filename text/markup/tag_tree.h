// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "text/marks.h"
#include "text/markup/markup.h"

namespace sheaf {

// An element or a tag without content of a segment.
struct TagNode {
  int32_t open = -1;   // the index of its start tag, or of its only tag
  int32_t close = -1;  // of its end tag
  // Its content in the source. Empty for a tag without content.
  TextRange source;
  // Its start tag (end tag) is not in the segment, so that it begins (ends)
  // with it.
  bool begins_before = false;
  bool ends_after = false;
  std::vector<int32_t> children;  // in the order of the source
};

// The tags of a segment as a tree. Node 0 is the segment. At most the first
// child of a node begins before the segment, and at most the last ends after
// it.
struct TagTree {
  std::vector<TagNode> nodes;
};

// Makes the tree of the tags of a segment with `size` bytes. If elements
// overlap
// ("<b>x<i>y</b>z</i>"), returns false.
bool MakeTagTree(absl::Span<const InlineTag> tags, size_t size, TagTree& tree);

}  // namespace sheaf
