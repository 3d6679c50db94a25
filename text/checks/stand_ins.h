// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/alignment.h"
#include "text/checks/text_edits.h"
#include "text/marks.h"

namespace sheaf {

// The forms of stand-ins: short names with a number, which models copy. Among
// 400 sentences of technical documents in which the embedded model should copy
// 1 to 3 stand-ins, it copied all of them in 378 with the first form, and in
// 392 with the first or the second.
enum class StandInKind : uint8_t {
  kUnderscores,  // __1__
  kIdentifier,   // ID1
};

// A source in which parts have stand-ins.
struct StandInSource {
  struct StandIn {
    std::string text;      // in source.text(), at least once
    std::string original;  // for which it stands
    TextRange range;       // of the original, if it stands for one part only
    int32_t count = 1;     // how often it occurs in source.text()
  };

  ReplacedSource source;
  std::vector<StandIn> stand_ins;  // with distinct texts
};

// A part of a source, and its replacement for good. Absent: a stand-in of its
// own.
struct SpanReplacement {
  TextRange range;
  std::optional<std::string> text;
};

// Gives each span a stand-in of its own, which does not occur in the source.
// Spans without white space, letter or digit between them ("%s/%s") have one
// together. Signs that lie outside of the spans have their replacements
// (FindPlainSigns()). REQUIRES: both are in order, disjoint, not empty and
// borders of characters.
StandInSource ReplaceSpans(absl::string_view source,
                           absl::Span<const TextRange> spans, StandInKind kind,
                           absl::Span<const SpanReplacement> signs = {});

// The same for parts of which some have replacements that RestoreSpans() leaves
// as they are. Does not join parts. REQUIRES: as above.
StandInSource ReplaceEach(absl::string_view source,
                          absl::Span<const SpanReplacement> replacements,
                          StandInKind kind);

// The translation of stand_ins.source.text() with the originals in place of the
// stand-ins, aligned to the original source. Absent unless each stand-in occurs
// exactly as often as in the source, and within no longer word.
std::optional<EditedText> RestoreSpans(const StandInSource& stand_ins,
                                       absl::string_view target,
                                       const TextAlignment& alignment);

}  // namespace sheaf
