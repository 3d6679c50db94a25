// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/checks/text_edits.h"
#include "text/marks.h"

namespace sheaf {

// The parts of a source between its protected spans that have a letter, without
// the white space around them, in order. If each is translated alone and
// JoinPieces() joins the translations, every span stands where it stood.
std::vector<TextRange> CutAtSpans(absl::string_view source,
                                  absl::Span<const TextRange> spans);

// The source with these parts, in order and disjoint, replaced by their
// translations; a part whose translation is null stays. Each translation is
// aligned to its part, and the result to the source.
EditedText ReplaceParts(absl::string_view source,
                        absl::Span<const TextRange> parts,
                        absl::Span<const EditedText* const> translations);

// ReplaceParts() with some of the pieces of CutAtSpans(source, spans). A
// translation that has the text of a span itself, which would then occur too
// often, is left out in favour of the piece's own text. AllKept() holds for the
// result. REQUIRES: there are as many translations as pieces.
EditedText JoinPieces(absl::string_view source,
                      absl::Span<const TextRange> spans,
                      absl::Span<const TextRange> pieces,
                      absl::Span<const EditedText> translations);

}  // namespace sheaf
