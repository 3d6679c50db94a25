// SPDX-License-Identifier: Apache-2.0

#include "text/vocabulary_fingerprint.h"

#include "absl/strings/str_cat.h"
#include "base/hash.h"

namespace sheaf {
namespace {

uint64_t Add(const Tokenizer& tokenizer, uint64_t hash) {
  for (int32_t id = 0; id < tokenizer.num_tokens(); ++id) {
    const Tokenizer::Token& token = tokenizer.token(id);
    // The length keeps texts apart.
    hash = Fnv1a(
        absl::StrCat(static_cast<int>(token.kind),
                     token.has_word_space ? "_" : " ", token.text.size(), ":"),
        hash);
    hash = Fnv1a(token.text, hash);
  }
  return hash;
}

}  // namespace

uint64_t VocabularyFingerprint(const Tokenizers& tokenizers) {
  return Add(*tokenizers.target, Add(*tokenizers.source, kFnv1aStart));
}

}  // namespace sheaf
