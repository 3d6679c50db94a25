// SPDX-License-Identifier: Apache-2.0

#include "text/text_alignment.h"

#include <cstddef>

namespace sheaf {

TextAlignment MakeTextAlignment(absl::Span<const int32_t> source_positions,
                                absl::Span<const TextRange> source_spans,
                                absl::Span<const TextRange> target_spans) {
  TextAlignment alignment;
  alignment.reserve(source_positions.size());
  for (size_t i = 0; i < source_positions.size(); ++i) {
    if (target_spans[i].size() == 0) continue;
    AlignedSpan& aligned = alignment.emplace_back();
    aligned.target = target_spans[i];
    if (source_positions[i] < 0) continue;
    const size_t position = source_positions[i];
    for (size_t j = position; j < source_spans.size() && j <= position + 1;
         ++j) {
      if (source_spans[j].size() == 0) continue;
      aligned.source = source_spans[j];
      break;
    }
  }
  return alignment;
}

}  // namespace sheaf
