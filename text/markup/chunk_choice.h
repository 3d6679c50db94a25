// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "text/marks.h"

namespace sheaf {

// Labels of words that stand in no child.
inline constexpr int32_t kUnknownWord = -1;
inline constexpr int32_t kForeignWord = -2;  // of the parent's own text

// Chooses for each of `num_children` labels a range of indexes in `labels` that
// has as many of the label, and as few others, as possible. Ranges are disjoint
// and begin and end with their label. A label that does not occur has an empty
// range. The time is linear.
std::vector<TextRange> ChooseChunks(absl::Span<const int32_t> labels,
                                    size_t num_children);

// Where to cut `labels` in two so that `label` is on one side and others on the
// other one: with `is_front`, the returned number of labels at the front should
// have it, otherwise those from there on.
size_t ChooseCut(absl::Span<const int32_t> labels, int32_t label,
                 bool is_front);

}  // namespace sheaf
