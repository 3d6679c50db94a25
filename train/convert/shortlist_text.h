// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <vector>

#include "absl/types/span.h"
#include "text/tokenizers.h"
#include "train/convert/shortlist_tables.h"
#include "train/data/text_pairs.h"

namespace sheaf {

// The tokens of the texts, and the first reference of each. REQUIRES: there are
// tokenizers.
TokenPairs TokensOf(const Tokenizers& tokenizers,
                    absl::Span<const TextPair> pairs);

// The tokens that every output needs, whatever its source, to end and to spell
// any word that has no token of its own: the `eos_ids`, the tokens of languages
// and of unknown words, those of single bytes, and those of single characters
// that are ASCII or occur in a reference.
KnownTokens KnownTokensOf(const Tokenizers& tokenizers,
                          const ShortlistVocabulary& vocabulary,
                          absl::Span<const int32_t> eos_ids,
                          absl::Span<const TextPair> pairs);

}  // namespace sheaf
