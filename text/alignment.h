// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <vector>

#include "text/marks.h"

namespace sheaf {

// The part of a source that a part of its translation comes from, in bytes of
// both texts. `source` is empty if that is not known.
struct AlignedSpan {
  TextRange target;
  TextRange source;
};

// The spans of a translation in its order, without overlap: one for each output
// token that has text. Text between them comes from no token.
using TextAlignment = std::vector<AlignedSpan>;

}  // namespace sheaf
