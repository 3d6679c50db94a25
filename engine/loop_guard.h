#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace sheaf {

// Whether `tokens` ends in a loop: its last max(32, 4 * p) tokens repeat with a
// period p of 1 to 32. So a single token has to come 32 times, a phrase of
// eight or more tokens 4 times, before it counts: far more than a text has a
// use for, while a small model that falls in such a loop stays in it.
//
// Cheap: 32 comparisons for a text that does not repeat.
bool IsLooping(absl::Span<const int32_t> tokens);

}  // namespace sheaf
