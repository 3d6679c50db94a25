// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/alignment.h"
#include "text/marks.h"

namespace sheaf {

// A translation and where its parts come from.
struct EditedText {
  std::string text;
  TextAlignment alignment;
};

// A range of a translation, which may be empty, to be replaced by a text that
// comes from `source`.
struct TextEdit {
  TextRange range;
  std::string text;
  TextRange source;
};

// Applies edits to a translation. Spans of the alignment keep the parts that no
// edit replaces; each new text that is not empty has a span of its own.
//
// REQUIRES: the edits are in order and disjoint, and `alignment` too.
EditedText ApplyEdits(absl::string_view text, const TextAlignment& alignment,
                      absl::Span<const TextEdit> edits);

// A source in which parts were replaced, and its map back.
class ReplacedSource {
 public:
  // Appends a part of the original that stays, or one that becomes `text`.
  // REQUIRES: the ranges of all calls follow one another without gaps.
  void Keep(absl::string_view original, TextRange range);
  void Replace(TextRange range, absl::string_view text);

  const std::string& text() const { return text_; }

  // The range of the original that a range of text() comes from. It has whole
  // replaced parts.
  TextRange ToOriginal(TextRange range) const;

  // The alignment of a translation of text() as one of the original.
  TextAlignment ToOriginal(TextAlignment alignment) const;

 private:
  struct Replacement {
    TextRange now;     // of text_
    TextRange before;  // of the original
  };

  // The original place of a place in text(): the beginning, or the end, of the
  // replaced part that it is in.
  size_t ToOriginal(size_t at, bool is_end) const;

  std::string text_;
  size_t original_size_ = 0;  // of what was appended
  std::vector<Replacement> replacements_;
};

}  // namespace sheaf
