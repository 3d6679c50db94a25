// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "text/alignment.h"

namespace sheaf {

// A source, its translation, and which of their words were aligned by hand.
// Words are what white space separates.
struct GoldAlignment {
  using Links = std::set<std::pair<size_t, size_t>>;  // (source, target) words

  std::string source, target;
  Links sure;
  Links possible;  // with the sure ones
};

// Reads lines `source<TAB>target<TAB>links`. A link is "i-j" if it is sure, and
// "i?j" if it is possible; words count from 0. INVALID_ARGUMENT names file and
// line.
absl::StatusOr<std::vector<GoldAlignment>> ReadGoldAlignments(
    const std::string& path);

// The alignment error rate (Och and Ney 2003): 1 - (|A and S| + |A and P|) /
// (|A| + |S|) over all pairs, with links A between the words in which aligned
// spans begin.
class AlignmentErrorRate {
 public:
  void Add(const GoldAlignment& gold, const TextAlignment& alignment);
  double Value() const;

 private:
  int64_t num_sure_ = 0, num_found_ = 0;
  int64_t num_found_sure_ = 0, num_found_possible_ = 0;
};

}  // namespace sheaf
