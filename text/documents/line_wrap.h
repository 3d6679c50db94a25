// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sheaf {

// The number of columns of a text on a terminal or a screen: two for each wide
// character of East Asia, none for a combining one.
int64_t NumColumns(absl::string_view text);

// What stands for the line break between two lines that are joined: a space, or
// nothing between characters that are written without spaces.
absl::string_view JointOfLines(absl::string_view before,
                               absl::string_view after);

// The positions within `text` at which a line may begin, by Unicode's rules for
// line breaking. REQUIRES: `text` is UTF-8.
std::vector<size_t> LineBreakPositions(absl::string_view text);

// Returns the positions at which to begin new lines, so that there are at most
// `num_lines` and the longest is about as short as possible. Two lines are
// broken after punctuation if that is near and lets both have at most
// `max_columns`. The spaces before a position are not part of a line.
std::vector<size_t> BalanceLines(absl::string_view text, int64_t num_lines,
                                 int64_t max_columns);

// Returns the positions at which to begin new lines, so that each has at most
// `max_columns` unless it cannot be broken. No line begins where `may_begin`
// is false for the text from there on.
std::vector<size_t> FillLines(
    absl::string_view text, int64_t max_columns,
    absl::FunctionRef<bool(absl::string_view rest)> may_begin);

// Cuts a translation into one part for each weight, as long in proportion as
// the weights are, after punctuation where that is near. A part may be empty if
// the text has fewer words than there are parts. The parts have no spaces at
// their ends.
std::vector<std::string> SpreadText(absl::string_view text,
                                    absl::Span<const int64_t> weights);

}  // namespace sheaf
