// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/alignment.h"
#include "text/marks.h"
#include "text/markup/markup.h"

namespace sheaf {

// A segment of a passage with its markup. Offsets count from its beginning.
struct TaggedSegment {
  std::vector<InlineTag> tags;
  std::vector<TextRange> kept;
};

// The tags of a passage, divided among its segments and the gaps between them,
// with offsets from the beginning of each. All lists are well nested if those
// of the passage are.
//
// Invariant: gaps.size() == segments.size() + 1, and gaps[0], segments[0],
// gaps[1], ..., gaps[n] are all tags of the passage in their order.
struct DividedTags {
  std::vector<TaggedSegment> segments;
  std::vector<std::vector<InlineTag>> gaps;
};

// Divides the tags of a passage. A tag at the border of a segment is part of it
// only if the other tag of its element is, too. If an element spans several
// segments, its tags stand in different segments or gaps. REQUIRES: `segments`
// are sorted, disjoint, not empty, and ranges of the passage's text.
DividedTags DivideTags(const Passage& passage,
                       absl::Span<const TextRange> segments);

// Writes text that is copied, such as a gap, with its tags, escaped for the
// format. REQUIRES: the offsets of the tags are in the text.
std::string WriteCopied(absl::string_view text,
                        absl::Span<const InlineTag> tags, TextFormat format);

// A segment and its translation, for PlaceTags().
struct TagPlacement {
  absl::string_view source;
  // An element may have one tag only. Its content then reaches to the end of
  // the segment, or from its beginning.
  absl::Span<const InlineTag> tags;
  absl::Span<const TextRange> kept;  // of `source`
  absl::string_view target;
  const TextAlignment* alignment = nullptr;  // null or empty: not known
  TextFormat format = TextFormat::kHtml;
  // Not null: gets, for each byte of `target`, the place of its character in
  // the result.
  std::vector<TextRange>* places = nullptr;
};

// Writes the translation of a segment, escaped for the format, with the tags of
// its source put back.
//
// Each tag is written exactly once. If the tags are well nested, the elements
// have the same parents as in the source; siblings may change their order, as
// words do. Otherwise all tags keep their order.
//
//   1. An element stands around the words that come from its content, by
//      `alignment`. If it is empty, words are placed in proportion to their
//      position, except those that occur once in both texts.
//   2. An element around the whole source stands around the whole target.
//   3. Kept content is taken where the target has it as it is.
//   4. A tag without content stands where the word went that it touches.
//   5. Punctuation and spaces at the ends of an element are in it or out of it
//      as in the source. A tag stands in a word only if it does in the source,
//      and the target has the same word.
//
// The time is that of the nesting depth times the number of words, at most.
// With segments of bounded size it is linear in a text.
std::string PlaceTags(const TagPlacement& placement);

}  // namespace sheaf
