#pragma once

#include <istream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sheaf {

// A source text with what it should become: one reference or several.
struct TextPair {
  std::string source;
  std::vector<std::string> references;  // not empty
};

// One pair a line: `source<TAB>reference[<TAB>more]`, of which at most
// `max_references` are taken (files for training have other columns after the
// first), or, without a tab, an object {"document": ..., "summaries": [...]}.
// Blank lines are skipped. INVALID_ARGUMENT names `name`, the line and what is
// wrong.
absl::StatusOr<std::vector<TextPair>> ReadTextPairs(std::istream& in,
                                                    const std::string& name,
                                                    size_t max_references);

// The same of a file; "-" is the standard input.
absl::StatusOr<std::vector<TextPair>> ReadTextPairFile(const std::string& path,
                                                       size_t max_references);

}  // namespace sheaf
