// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// The ends of the sentences of a text, in bytes, ascending. The last one is
// always the end of the text.
//
// A sentence ends
//   - at a line break
//   - after terminal punctuation of any script (Unicode's Sentence_Break) and
//     the closing quotes and brackets after it, if white space follows.
//     Scripts whose punctuation has no other use (。！？।) need no white
//     space.
//
// It does not end
//   - before a lower-case letter, except after "!" and "?" in a sentence that
//     began with one itself
//   - before a comma or another sign that continues a sentence
//   - after an abbreviation, initial, ordinal or list number of `language`
//     (abbreviations.h), or if the language has no table, after one of those
//     that all languages share
//   - at an operator ("a ? B : c") or a sign in brackets ("[...]", "(!)").
//
// Calls `is_wanted` about once per millisecond, so that a long text can let
// others have a turn. Once that returns false, the rest of the text counts as
// one sentence. The time is linear in the text. REQUIRES: `text` is UTF-8.
std::vector<size_t> SentenceEnds(
    absl::string_view text, absl::string_view language,
    absl::FunctionRef<bool()> is_wanted = [] { return true; });

}  // namespace sheaf
