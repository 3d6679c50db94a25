// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace sheaf {

// A series' name and labels, whatever their order.
inline std::pair<std::string, std::set<std::string>> ParseSeries(
    absl::string_view series) {
  const std::vector<std::string> parts =
      absl::StrSplit(series, absl::MaxSplits('{', 1));
  std::set<std::string> labels;
  if (parts.size() == 2) {
    for (absl::string_view label :
         absl::StrSplit(absl::StripSuffix(parts[1], "}"), ',')) {
      labels.emplace(label);
    }
  }
  return {parts[0], labels};
}

// The value of `series`, as name{label="value",...}, in the exposition `text`;
// NaN if it is not there.
inline double MetricValue(absl::string_view text, absl::string_view series) {
  const auto wanted = ParseSeries(series);
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (line.empty() || line[0] == '#') continue;
    const size_t space = line.rfind(' ');
    if (ParseSeries(line.substr(0, space)) != wanted) continue;
    double value = 0;
    if (absl::SimpleAtod(line.substr(space + 1), &value)) return value;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace sheaf
