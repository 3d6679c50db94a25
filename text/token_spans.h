// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/marks.h"
#include "text/prompt_template.h"
#include "text/tokenizer.h"

namespace sheaf {

// Finds where the tokens of a text stand in it, from what the tokens say
// (Tokenizer::token()). It does not encode the text again, so it works for
// every tokenizer, whatever the tokenizer changes in a text first.

// The part of `text` that each of `ids` comes from. `ids` are the encoding of
// `text`, which may be cut at its end.
//
// The characters of the tokens are matched with those of the text, by their
// compatibility decomposition, without case, white space and ignorable
// characters. Where they differ, the nearest place is found from which they
// agree again. A token without a match, such as an unknown one, has the part
// between its neighbours, and several of them share that part unless it has as
// many words. A range has no white space at its ends, is empty for the end
// token and for a token of white space only, and covers whole characters, so
// that the bytes of one character have the same range. Ranges ascend.
//
// Takes time linear in both. REQUIRES: `text` is UTF-8.
std::vector<TextRange> FindTokenSpans(const Tokenizer& tokenizer,
                                      absl::Span<const int32_t> ids,
                                      absl::string_view text);

// The same for all ids of a source that EncodeSource() has made. The ids of the
// prompt have empty ranges.
std::vector<TextRange> FindSourceSpans(const Tokenizer& tokenizer,
                                       const PromptTemplate& prompt,
                                       absl::Span<const int32_t> ids,
                                       absl::string_view text);

// The number of ids at the beginning of every source of this prompt that are no
// part of its text. At the end there are prompt.after.size().
int32_t CountLeadingIds(const Tokenizer& tokenizer,
                        const PromptTemplate& prompt);

// The part of the text Tokenizer::Decode(ids) that each id adds to it, as a
// StreamDetokenizer does: a character of several byte tokens belongs to the
// last of them. A range has no white space at its ends, and is empty for an id
// without text. Ranges ascend and do not overlap.
std::vector<TextRange> FindOutputSpans(const Tokenizer& tokenizer,
                                       absl::Span<const int32_t> ids);

}  // namespace sheaf
