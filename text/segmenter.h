// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/token_lists.h"
#include "text/source_encoder.h"

namespace sheaf {

// Encodes a segment, with the task's prompt and the end token, and returns an
// error if the work is to stop. It is called every few milliseconds, if need be
// with an empty segment, so that other texts can have a turn.
using EncodeFunction =
    absl::FunctionRef<absl::StatusOr<EncodedSource>(absl::string_view segment)>;

// A text cut into segments for the model and the layout between them. Both are
// views of the text.
//
// Invariants:
//   1. gaps.size() == segments.size() + 1, and gaps[0] + segments[0] +
//      gaps[1] + ... + segments[n - 1] + gaps[n] is the text, byte for byte.
//   2. Each segment has a letter or a digit.
//   3. sources[i] is what `encode` returned for segments[i].
// If the lines of paragraphs are to be joined, the text is the one that
// JoinLines() returns (line_breaks.h).
struct SegmentedText {
  std::vector<absl::string_view> segments;
  std::vector<absl::string_view> gaps;
  TokenLists sources;
};

// Makes one segment per sentence, by the rules of `language` ("en";
// sentences.h). Line breaks, white space around sentences, and long or separate
// marks ("-----"; marks.h) are gaps. A sentence of more than `max_tokens` is
// cut where it hurts least: after clause punctuation, else at a space, else
// between characters.
//
// Encodes each sentence that fits once, and returns the first error of
// `encode`. REQUIRES: `text` is UTF-8; a single character has at most
// max_tokens, the prompt and the end token included.
absl::StatusOr<SegmentedText> SplitForTranslation(absl::string_view text,
                                                  const std::string& language,
                                                  int64_t max_tokens,
                                                  EncodeFunction encode);

// The parts of a text to summarize. sources[i] is what `encode` returned for
// parts[i].
struct SummaryParts {
  std::vector<absl::string_view> parts;
  TokenLists sources;
};

// Returns the whole text if it has at most `max_tokens`. Otherwise returns
// parts of whole sentences. Each part is as long as fits, except that it ends
// at the end of a paragraph if there is one in its second half. White space
// around parts is dropped. Parts are views of the text.
//
// Encodes the text once to find the lengths of its sentences, and each part
// once more. Errors and requirements are those of SplitForTranslation().
absl::StatusOr<SummaryParts> SplitForSummary(absl::string_view text,
                                             const std::string& language,
                                             int64_t max_tokens,
                                             EncodeFunction encode);

}  // namespace sheaf
