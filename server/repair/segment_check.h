// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sheaf {

// What a check of a segment found and what was done about it; the labels
// `check` and `result` of segment_checks_total.
enum class SegmentCheck {
  kSpansKept,           // protected spans stand as they are in the first decode
  kSpansPutBack,        // some were put back by alignment
  kSpansStandIns,       // decoded again with stand-ins for them
  kSpansCut,            // translated between them
  kSpansLost,           // some differ, because nothing may be repaired
  kNumbersRepaired,     // decoded again, with the numbers of the source
  kNumbersFlagged,      // some differ
  kCharactersCopied,    // those that the model does not have
  kCharactersFlagged,   // some could not be placed
  kCapitalsInSentence,  // translated in sentence case
  kCapitalsAsTheyAre,   // the model does better so
  kCoverageRepaired,    // was suspicious, decoded again with a better result
  kCoverageFlagged,     // is suspicious
  kTermsUsed,           // the translation has all of them
  kTermsConstrained,    // decoded again with constraints, and has all of them
  kTermsMissing,        // some are missing
};
inline constexpr size_t kNumSegmentChecks = 16;

// The numbers of segments by what their checks found.
struct SegmentCheckCounts {
  std::array<int64_t, kNumSegmentChecks> counts = {};
  int64_t num_decodes = 0;  // in addition to the first of each segment
  int64_t num_flagged = 0;  // segments whose translation has a warning

  void Add(SegmentCheck check) { ++counts[static_cast<size_t>(check)]; }
  int64_t of(SegmentCheck check) const {
    return counts[static_cast<size_t>(check)];
  }
  void Add(const SegmentCheckCounts& other) {
    for (size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
    num_decodes += other.num_decodes;
    num_flagged += other.num_flagged;
  }
};

}  // namespace sheaf
