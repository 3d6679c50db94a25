// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "server/repair/code_points.h"
#include "server/repair/segment_report.h"
#include "text/marks.h"
#include "text/markup/markup.h"

namespace sheaf {

// Finds where parts of a text that JoinLines() has made stand in the original.
// Ranges must ascend. The time is linear in the text for all calls together.
//
// Not thread-safe.
class JoinedPlaces {
 public:
  // The texts are not owned. REQUIRES: they differ in white space only.
  JoinedPlaces(absl::string_view joined, absl::string_view original)
      : joined_(joined), original_(original) {}

  CodePointRange Of(TextRange range);

 private:
  void AdvanceTo(size_t joined_at);
  void SkipWhitespace();

  const absl::string_view joined_;
  const absl::string_view original_;
  size_t joined_at_ = 0;
  size_t original_at_ = 0;
  int64_t num_code_points_ = 0;  // before original_at_
};

// The same for parts of a passage, in the text that has its markup.
class PassagePlaces {
 public:
  // Nothing is owned. `index` is that of the text with markup.
  PassagePlaces(const Passage& passage, CodePointIndex& index)
      : passage_(passage), index_(index) {}

  CodePointRange Of(TextRange range) const {
    const TextRange source = SourceRange(passage_, range);
    const int64_t begin = index_.At(source.begin);
    return {begin, index_.At(source.end)};
  }

 private:
  const Passage& passage_;
  CodePointIndex& index_;
};

}  // namespace sheaf
