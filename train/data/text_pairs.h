// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <istream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sheaf {

// A source text with one or several references for its output.
struct TextPair {
  std::string source;
  std::vector<std::string> references;  // not empty
};

// Reads one pair per line: `source<TAB>reference[<TAB>more]`, or in a line
// without a tab an object {"document": ..., "summaries": [...]}. Up to
// `max_references` references are used, because files for training have other
// columns after the first. Blank lines are skipped. INVALID_ARGUMENT names
// `name`, the line and the rule.
absl::StatusOr<std::vector<TextPair>> ReadTextPairs(std::istream& in,
                                                    const std::string& name,
                                                    size_t max_references);

// The same for a file. "-" is stdin.
absl::StatusOr<std::vector<TextPair>> ReadTextPairFile(const std::string& path,
                                                       size_t max_references);

}  // namespace sheaf
