// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/marks.h"
#include "text/pattern_finder.h"

namespace sheaf {

// The distinct texts of a source's protected spans, and how often each occurs.
//
// Occurrences do not overlap; the longest at each place counts. One within a
// longer name does not count: "1.2.3" in "1.2.34", "a/b" in "a/b/c". The
// exception are texts that stand so in the source.
//
// Thread-safe: immutable.
class SpanTexts {
 public:
  struct Occurrence {
    TextRange range;
    int32_t text_index = 0;
  };

  // REQUIRES: `source` outlives this; `spans` are not empty, in order, disjoint
  // and borders of characters.
  SpanTexts(absl::string_view source, absl::Span<const TextRange> spans);

  // The occurrences of all the texts, in order. Takes time linear in `text`.
  std::vector<Occurrence> FindIn(absl::string_view text) const;

  // Whether each text occurs in `target` exactly as often as in the source.
  bool AreKeptIn(absl::string_view target) const;

  int32_t size() const { return static_cast<int32_t>(texts_.size()); }
  absl::string_view text(int32_t index) const { return texts_[index]; }

 private:
  struct Distinct {
    std::vector<absl::string_view> texts;
    std::vector<bool> must_be_whole;
  };
  static Distinct FindDistinct(absl::string_view source,
                               absl::Span<const TextRange> spans);
  SpanTexts(absl::string_view source, Distinct distinct);
  std::vector<int32_t> CountIn(absl::string_view text) const;

  std::vector<absl::string_view> texts_;
  std::vector<bool> must_be_whole_;  // by text
  PatternFinder finder_;             // of texts_
  std::vector<int32_t> counts_;      // in the source, by text
};

// Whether each span's text occurs in `target` exactly as often as in `source`,
// and exactly as it is written there.
bool AllKept(absl::string_view source, absl::Span<const TextRange> spans,
             absl::string_view target);

}  // namespace sheaf
