// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/token_lists.h"
#include "engine/model/shortlist.h"

namespace sheaf {

struct ShortlistOptions {
  int32_t num_frequent = 1000;  // most frequent tokens of the targets
  int32_t per_token = 100;      // most likely translations of a source token
  // Less likely translations are not listed.
  float least_probability = 1e-4f;
};

// Parallel text as tokens, without prompts and end tokens.
struct TokenPairs {
  TokenLists sources, targets;
};

// Facts about tokens that follow from the vocabularies, whatever the text.
struct KnownTokens {
  std::vector<int32_t> always;  // ids that every output may have
  // By source id, the same token of the output's vocabulary, which a copy of
  // the source needs; -1: there is none.
  std::vector<int32_t> copies;
};

// The common tokens are the known ones and the most frequent ones. The targets
// of a source token are its copy, and its most likely translations by a
// TranslationModel that is trained on `pairs`; without common tokens.
ShortlistTables MakeShortlistTables(const ShortlistVocabulary& vocabulary,
                                    const TokenPairs& pairs,
                                    const KnownTokens& known,
                                    const ShortlistOptions& options);

// Writes the file that Shortlist::Read() reads. ALREADY_EXISTS if there is one,
// or INTERNAL if it cannot be written; then there is none. REQUIRES: the tables
// are valid (Shortlist::Make()).
absl::Status WriteShortlist(const std::string& path,
                            const ShortlistVocabulary& vocabulary,
                            const ShortlistTables& tables);

}  // namespace sheaf
