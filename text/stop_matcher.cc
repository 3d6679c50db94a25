// SPDX-License-Identifier: Apache-2.0

#include "text/stop_matcher.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/match.h"

namespace sheaf {
namespace {

// The length of the longest end of `text` that is the beginning of a stop, but
// not all of it.
size_t HeldBytes(absl::string_view text,
                 const std::vector<std::string>& stops) {
  size_t held = 0;
  for (const std::string& stop : stops) {
    const size_t longest = std::min(stop.size() - 1, text.size());
    for (size_t n = longest; n > held; --n) {
      if (absl::StartsWith(stop, text.substr(text.size() - n))) {
        held = n;
        break;
      }
    }
  }
  return held;
}

}  // namespace

std::string StopMatcher::Append(absl::string_view piece) {
  if (has_matched_) return "";
  held_.append(piece.data(), piece.size());
  size_t first_begin = 0, first_end = std::string::npos;
  for (const std::string& stop : *stops_) {
    const size_t begin = held_.find(stop);
    if (begin == std::string::npos) continue;
    const size_t end = begin + stop.size();
    if (end < first_end || (end == first_end && begin < first_begin)) {
      first_begin = begin;
      first_end = end;
    }
  }
  if (first_end != std::string::npos) {
    has_matched_ = true;
    held_.resize(first_begin);
    return std::exchange(held_, "");
  }
  const size_t shown = held_.size() - HeldBytes(held_, *stops_);
  std::string text = held_.substr(0, shown);
  held_.erase(0, shown);
  return text;
}

std::string StopMatcher::Finish() { return std::exchange(held_, ""); }

}  // namespace sheaf
