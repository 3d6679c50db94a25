// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace sheaf {

// Whether the members of a team share the rows of a step or a pass, or the
// columns of each product.
//
// Members usually share every product: each computes some columns for all rows
// (Linear), so that it reads only its part of the weights, and a barrier stands
// behind the product. In a small model, the barriers and the rows that move
// from core to core take as long as the products. There each member computes
// some rows through all layers by itself, without a barrier, and reads all of
// the weights. The values of a row do not depend on the choice.

// Whether members compute their own rows, when each gets about
// `rows_per_member` of them and reads `weight_bytes` of weights. This rule was
// measured; the .cc file has the figures.
bool PaysToSplitRows(int64_t weight_bytes, int64_t rows_per_member);

// Cuts items that follow each other, of the given work, into at most
// `num_parts` ranges that are not empty, so that the largest work of a range is
// small. `ends` gets the end of each range. REQUIRES: there is an item, and
// every work is positive.
void CutEvenly(absl::Span<const int64_t> work, int32_t num_parts,
               std::vector<int32_t>& ends);

}  // namespace sheaf
