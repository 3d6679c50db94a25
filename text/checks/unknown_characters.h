// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/alignment.h"
#include "text/checks/stand_ins.h"
#include "text/checks/text_edits.h"
#include "text/marks.h"
#include "text/tokenizer.h"

namespace sheaf {

// The parts of a text that the model cannot spell: characters for which the
// tokenizer has the unknown token or, if it spells ASCII by pieces, single
// bytes. Models do learn to copy letters of the Latin script from bytes, so
// these count only if they give the unknown token. Letters count with the whole
// word around them ("мир"), and words with one space between them together.
// Signs count alone. The ranges are in order and disjoint, and have none of
// FindPlainSigns().
//
// Empty if most letters of the text are such, because then it is in a language
// that the model does not have. Only characters other than ASCII are encoded,
// each once. Takes time linear in the text, and calls `is_wanted` about once
// per millisecond; once that returns false, the rest of the text counts as
// known. REQUIRES: `text` is UTF-8.
std::vector<TextRange> FindUnknown(
    absl::string_view text, const Tokenizer& tokenizer,
    absl::FunctionRef<bool()> is_wanted = [] { return true; });

// The quotes, dashes and spaces that the model cannot spell and for which ASCII
// has plain ones. Otherwise as FindUnknown().
std::vector<TextRange> FindPlainSigns(
    absl::string_view text, const Tokenizer& tokenizer,
    absl::FunctionRef<bool()> is_wanted = [] { return true; });

// Replaces what the model cannot spell by what it can:
//   - the signs of FindPlainSigns() by those of ASCII, for good
//   - currency signs among the parts of FindUnknown() by "$", if there is one
//     kind of them and no "$"
//   - other currency signs, with their amounts, and words by stand-ins of
//     `kind`.
// RestoreSpans() puts the parts back. Other signs stay, because many models
// copy them ("😀"); AllKept() tells whether they were.
StandInSource ReplaceUnknown(absl::string_view source,
                             absl::Span<const TextRange> parts,
                             StandInKind kind,
                             absl::Span<const TextRange> signs = {});

// Whether a text has U+FFFD or a control character that its source does not
// have.
bool HasBrokenCharacter(absl::string_view source, absl::string_view target);

// Puts parts of the source that the model cannot spell
// (FindUnknown()) into the translation that it made of them, as
// PutBack() does: signs and words that the alignment connects with them are
// replaced. Then removes U+FFFD and control characters that the source does not
// have. Absent if a place is not certain.
std::optional<EditedText> CopyUnknown(absl::string_view source,
                                      absl::Span<const TextRange> parts,
                                      absl::string_view target,
                                      const TextAlignment& alignment);

}  // namespace sheaf
