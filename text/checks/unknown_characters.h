// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <optional>
#include <vector>

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
// bytes. Letters count with the whole word around them ("Škoda"), and words
// with one space between them together. Signs count alone.
//
// Empty if most letters of the text are such, because then it is in a language
// that the model does not have. Only characters other than ASCII are encoded,
// each once. REQUIRES: `text` is UTF-8.
std::vector<TextRange> FindUnknown(absl::string_view text,
                                   const Tokenizer& tokenizer);

// Gives what the model can read to the parts that FindUnknown() found:
//   - quotes and dashes become those of ASCII, which a translation keeps
//   - currency signs become "$" if there is one kind of them and no "$"
//   - all others have stand-ins of `kind`, currency signs with their amounts.
// RestoreSpans() puts the currency signs and other parts back.
StandInSource ReplaceUnknown(absl::string_view source,
                             absl::Span<const TextRange> unknown,
                             StandInKind kind);

// Puts parts of the source that the model cannot spell into the translation
// that it made of them, as PutBack() does: signs and pieces of other scripts
// that the alignment connects with them are replaced. Then removes U+FFFD and
// control characters that the source does not have. Absent if a place is not
// certain.
std::optional<EditedText> CopyUnknown(absl::string_view source,
                                      absl::Span<const TextRange> unknown,
                                      absl::string_view target,
                                      const TextAlignment& alignment);

}  // namespace sheaf
