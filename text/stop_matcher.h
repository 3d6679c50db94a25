// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sheaf {

// Finds stop sequences in a text that arrives in pieces, which may end
// anywhere, and returns the text before the first of them.
//
// The first is the one that is complete first. If several end at the same
// place, it is the longest of these. Text that could be the beginning of a stop
// is held back until it is known not to be.
class StopMatcher {
 public:
  // `stops` are not owned. REQUIRES: none is empty.
  explicit StopMatcher(const std::vector<std::string>& stops)
      : stops_(&stops) {}

  // Appends `piece` to the text. Returns the text that may be shown now, which
  // is empty after a match.
  std::string Append(absl::string_view piece);

  // Ends the text. Returns the text that was held back.
  std::string Finish();

  bool has_matched() const { return has_matched_; }

 private:
  const std::vector<std::string>* stops_;
  std::string held_;  // shorter than the longest stop
  bool has_matched_ = false;
};

}  // namespace sheaf
