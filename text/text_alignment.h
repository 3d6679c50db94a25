// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "text/alignment.h"
#include "text/marks.h"

namespace sheaf {

// The alignment of a translation with its source. `source_positions` has the
// index of a source token for each output token, or -1
// (Hypothesis::source_positions). The spans are those of all source tokens and
// of all output tokens (text/token_spans.h). A source token without text, such
// as the space before a word, stands for the token after it.
// REQUIRES: target_spans are as many as source_positions, or more.
TextAlignment MakeTextAlignment(absl::Span<const int32_t> source_positions,
                                absl::Span<const TextRange> source_spans,
                                absl::Span<const TextRange> target_spans);

}  // namespace sheaf
