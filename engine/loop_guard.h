// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace sheaf {

// Whether `tokens` followed by `next` end in a loop, that is, whether their
// last max(32, 4 * p) tokens repeat with a period p of 1 to 32. So a single
// token counts after 32 repetitions, and a phrase of eight or more tokens
// after 4. No useful text repeats itself that often, while a small model that
// falls into such a loop stays in it.
//
// Makes at most 32 comparisons for a text that does not repeat.
bool IsLooping(absl::Span<const int32_t> tokens, int32_t next);

}  // namespace sheaf
