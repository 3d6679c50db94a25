// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/alignment.h"
#include "text/checks/text_edits.h"
#include "text/marks.h"

namespace sheaf {

// Repairs the protected spans of a translation by its alignment, without the
// model:
//   - what a span became is replaced by the span, if it resembles it, consists
//     of odd signs, or if the span consists of words
//   - a span that became nothing is inserted between the translations of its
//     neighbours
//   - surplus copies are removed, those first that no span is aligned to
// AllKept() holds for the result. Absent if a place is not certain, or if there
// are more than 100 spans.
//
// REQUIRES: the spans and the alignment are in order, disjoint and borders of
// characters.
std::optional<EditedText> PutBack(absl::string_view source,
                                  absl::Span<const TextRange> spans,
                                  absl::string_view target,
                                  const TextAlignment& alignment);

}  // namespace sheaf
