#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sheaf {

// Finds stop sequences in a text that comes piece by piece, whatever the
// pieces' borders, and lets through the text before the first of them.
//
// The first is the one that is complete first, and of several that end at the
// same place the longest. What could be the beginning of one is held back until
// it is known not to be.
class StopMatcher {
 public:
  // `stops` are not owned. REQUIRES: none is empty.
  explicit StopMatcher(const std::vector<std::string>& stops)
      : stops_(&stops) {}

  // The text goes on with `piece`. Returns what may be shown now. After a match
  // it returns nothing more.
  std::string Append(absl::string_view piece);

  // The text has ended. Returns what was held back.
  std::string Finish();

  bool has_matched() const { return has_matched_; }

 private:
  const std::vector<std::string>* stops_;
  std::string held_;  // shorter than the longest stop
  bool has_matched_ = false;
};

}  // namespace sheaf
