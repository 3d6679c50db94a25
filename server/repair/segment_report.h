// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

namespace sheaf {

// What is wrong with the translation of a segment.
enum class SegmentWarning : uint8_t {
  kProtectedSpan,     // one was lost, added or changed
  kNumber,            // one was lost, added or changed
  kUnknownCharacter,  // one that the model cannot write was not copied
  kTooShort,
  kTooLong,
  kRepetition,
  kCut,  // it reached max_new_tokens
};

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
  std::vector<SegmentWarning> warnings;  // ascending, each once
  std::vector<ReportedAlignment> alignments;
};

}  // namespace sheaf
