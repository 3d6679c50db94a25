// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "text/checks/judge.h"

namespace sheaf {

// [begin, end) of a text, in Unicode code points.
struct CodePointRange {
  int64_t begin = 0;
  int64_t end = 0;
  bool operator==(const CodePointRange& other) const = default;
};

// A part of a translation and where it comes from.
struct ReportedAlignment {
  CodePointRange source;  // of the request's text
  CodePointRange target;  // of the answer's text
  bool operator==(const ReportedAlignment& other) const = default;
};

struct SegmentReport {
  CodePointRange source;  // of the request's text
  CodePointRange target;  // of the answer's text
  float mean_logprob = 0;
  std::vector<SegmentWarning> warnings;
  std::vector<ReportedAlignment> alignments;
};

}  // namespace sheaf
