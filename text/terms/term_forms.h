// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/marks.h"
#include "text/terms/glossary.h"

namespace sheaf {

// A way to write a term's translation.
struct TargetForm {
  std::string text;
  bool is_stem = false;  // letters may follow
};

// A term in a source, and how its translation may be written.
struct SourceTerm {
  TextRange range;
  std::vector<TargetForm> forms;  // at least one, best first
};

// The terms of a text from left to right, without overlap. A term of an earlier
// glossary wins over those of later ones. Null glossaries have none.
//
// Capitals follow the source. A form of a term that stands in capitals, unlike
// its entry, is in capitals by the rules of `target_language` (BCP 47), and one
// that begins with a capital, unlike its entry, begins with one. A form with a
// capital after its first letter stays as it is. Every other form may begin
// with a capital, because it may begin a sentence. A term at the beginning of
// the text may be written in both ways for the same reason.
//
// Takes time linear in the text. REQUIRES: it is UTF-8.
std::vector<SourceTerm> FindTerms(absl::string_view text,
                                  absl::Span<const Glossary* const> glossaries,
                                  absl::string_view target_language);

// The indices of the terms that a translation lacks. Each occurrence of a form,
// as whole words or as the beginning of one, counts for one term.
std::vector<int32_t> MissingTerms(absl::string_view target,
                                  absl::Span<const SourceTerm> terms);

}  // namespace sheaf
