// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <functional>
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

// How a text is cut for translation.
struct TranslationSplit {
  std::string language;  // whose rules tell where sentences end: "en"
  int64_t max_tokens;    // of a segment
  // Whether a sentence stays as it is, because of its language. Null: none
  // does.
  std::function<bool(absl::string_view sentence)> is_copied = nullptr;
};

// The numbers of sentences that lie in gaps, and are thus copied into the
// translation, by the reason.
struct CopiedSentences {
  int64_t without_letter = 0;
  int64_t in_target_language = 0;  // TranslationSplit::is_copied
};

// A text cut into segments for the model and the layout between them. Both are
// views of the text.
//
// Invariants:
//   1. gaps.size() == segments.size() + 1, and gaps[0] + segments[0] +
//      gaps[1] + ... + segments[n - 1] + gaps[n] is the text, byte for byte.
//   2. Each segment has a letter.
//   3. sources[i] is what `encode` returned for segments[i].
// If the lines of paragraphs are to be joined, the text is the one that
// JoinLines() returns (line_breaks.h).
struct SegmentedText {
  std::vector<absl::string_view> segments;
  std::vector<absl::string_view> gaps;
  TokenLists sources;
  CopiedSentences copied;
};

// Makes one segment per sentence (sentences.h). Line breaks, white space around
// sentences, long or separate marks ("-----"; marks.h), sentences without a
// letter ("12:30") and those that are to be copied are gaps. A sentence of more
// than `max_tokens` is cut where it hurts least: after clause punctuation, else
// at a space, else between characters.
//
// Encodes each sentence that fits once, and returns the first error of
// `encode`. REQUIRES: `text` is UTF-8; a single character has at most
// max_tokens, the prompt and the end token included.
absl::StatusOr<SegmentedText> SplitForTranslation(absl::string_view text,
                                                  const TranslationSplit& split,
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
