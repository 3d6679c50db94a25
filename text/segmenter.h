#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// A text cut into segments for the model and the layout between them, which are
// views of it.
//
// Invariants:
//   1. gaps.size() == segments.size() + 1, and gaps[0] + segments[0] +
//      gaps[1] + ... + segments[n - 1] + gaps[n] is the text, byte for byte.
//   2. Each segment has a letter or a digit.
// If the lines of paragraphs are to be joined, the text is the one that
// JoinLines() returns (line_breaks.h).
struct SegmentedText {
  std::vector<absl::string_view> segments;
  std::vector<absl::string_view> gaps;
};

// How many tokens a segment would take, task prompt and end token included.
// Called every few milliseconds, if need be with an empty segment.
using TokenCounter = absl::FunctionRef<int64_t(absl::string_view segment)>;

// One segment per sentence, by the rules of `language` ("en"; sentences.h).
// Line breaks, white space around sentences, and long or separate marks
// ("-----"; marks.h) are gaps. A sentence of more than `max_tokens` is cut
// where it hurts least: after clause punctuation, else at a space, else between
// characters.
//
// REQUIRES: `text` is UTF-8; a single character counts at most max_tokens.
SegmentedText SplitForTranslation(absl::string_view text,
                                  const std::string& language,
                                  int64_t max_tokens, TokenCounter count);

// The whole text if it has at most `max_tokens`, else parts of whole sentences,
// each as long as fits, but ended at a paragraph's end if one lies in its
// second half. White space around parts is dropped. Parts are views of the
// text.
std::vector<absl::string_view> SplitForSummary(absl::string_view text,
                                               const std::string& language,
                                               int64_t max_tokens,
                                               TokenCounter count);

}  // namespace sheaf
