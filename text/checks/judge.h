// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/marks.h"

namespace sheaf {

// A fault, or probable fault, of the translation of a segment.
enum class SegmentWarning : uint8_t {
  kEmpty,             // it has no letter or digit
  kCut,               // it reached the maximum number of tokens
  kProtectedSpan,     // one is lost, added or changed (AllKept())
  kNumber,            // one is lost, added or changed (CompareNumbers())
  kUnknownCharacter,  // a part that the model cannot spell is not copied, or
                      // the translation has U+FFFD or a control character
  kRepetition,        // it repeats words, unlike its source
  kTooShort,          // for its source
  kTooLong,
  kUntranslated,  // it is its source, which has ordinary words
  kTerm,  // the translation of a term is missing; not found by JudgeSegment()
};

// A source and its translation.
struct SegmentToJudge {
  absl::string_view source;
  absl::string_view target;
  absl::string_view source_language = "";  // BCP 47
  absl::string_view target_language = "";
  absl::Span<const TextRange> protected_spans = {};  // of the source
  absl::Span<const TextRange> unknown = {};  // FindUnknown() of the source
  bool is_cut = false;
};

// The warnings, in the order of the enum, each once. Of 3,000 reference
// translations from English to German, 0.5 % have one.
//
// Takes time linear in the texts. REQUIRES: `source` and `target` are UTF-8.
std::vector<SegmentWarning> JudgeSegment(const SegmentToJudge& segment);

// Whether the translation seems to lack parts of the source, or to have others.
// Such a segment is decoded again, if that is possible.
bool IsSuspicious(absl::Span<const SegmentWarning> warnings);

// A translation among several of the same segment.
struct JudgedTranslation {
  absl::Span<const SegmentWarning> warnings;
  float mean_logprob = 0;  // of its tokens
};

// Whether `a` is certainly better than `b`: its warnings weigh less, or as much
// and its tokens are more probable.
bool IsBetter(const JudgedTranslation& a, const JudgedTranslation& b);

}  // namespace sheaf
