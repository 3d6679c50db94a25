// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/alignment.h"
#include "text/checks/text_edits.h"
#include "text/marks.h"

namespace sheaf {

inline bool Overlap(TextRange a, TextRange b) {
  return a.begin < b.end && b.begin < a.end;
}

// A source, its translation, and where a part of the source is sought in it.
struct PlaceQuery {
  absl::string_view source;
  absl::string_view target;
  const TextAlignment& alignment;
  // Ranges of the target that belong to other parts, in order and disjoint.
  absl::Span<const TextRange> taken;
};

// The range of the target that translates `part`: the tokens that are aligned
// to it, without white space. Absent if there are none, if tokens of other
// parts stand between them, or if they have a part of a word whose rest
// translates something else.
std::optional<TextRange> FindTranslation(const PlaceQuery& query,
                                         TextRange part);

// The place between the translations of the words before and after `part`, or
// at the beginning or end of the target if the part stands there in the source.
// Absent if these translations do not stand next to each other.
std::optional<size_t> FindInsertion(const PlaceQuery& query, TextRange part);

// The edit that puts the text of `part` in the place of a range of the target,
// which may be empty. It is set off by spaces where it is in the source, except
// before punctuation.
TextEdit PutAt(const PlaceQuery& query, TextRange part, TextRange range);

}  // namespace sheaf
