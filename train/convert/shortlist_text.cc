// SPDX-License-Identifier: Apache-2.0

#include "train/convert/shortlist_text.h"

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using Kind = Tokenizer::Token::Kind;

// The characters of all references, as text, and those of ASCII.
absl::flat_hash_set<std::string> CharactersOf(
    absl::Span<const TextPair> pairs) {
  absl::flat_hash_set<std::string> characters;
  for (char c = ' '; c < '\x7f'; ++c) characters.insert(std::string(1, c));
  for (const TextPair& pair : pairs) {
    const std::string& text = pair.references.front();
    for (size_t i = 0; i < text.size();) {
      const size_t size = CharacterSize(static_cast<uint8_t>(text[i]));
      if (size > 1) characters.insert(text.substr(i, size));
      i += size;
    }
  }
  return characters;
}

// Whether words that have no token of their own are spelled with this one.
bool IsSpelling(const Tokenizer::Token& token,
                const absl::flat_hash_set<std::string>& characters) {
  switch (token.kind) {
    case Kind::kDropped:
      return false;
    case Kind::kUnknown:
      return true;
    case Kind::kBytes:
      return token.text.size() == 1;
    case Kind::kText:
      return characters.contains(token.text) ||
             characters.contains(absl::StripPrefix(token.text, " "));
  }
  return false;
}

// Tells tokens of different tokenizers apart that read differently.
std::string Reading(const Tokenizer::Token& token) {
  return absl::StrCat(static_cast<int>(token.kind),
                      token.has_word_space ? "_" : " ", token.text);
}

std::vector<int32_t> CopiesOf(const Tokenizers& tokenizers,
                              const ShortlistVocabulary& vocabulary) {
  absl::flat_hash_map<std::string, int32_t> ids;
  const auto has_reading = [](const Tokenizer::Token& token) {
    return token.kind == Kind::kText || token.kind == Kind::kBytes;
  };
  for (int32_t id = 0; id < vocabulary.size; ++id) {
    const Tokenizer::Token& token = tokenizers.target->token(id);
    if (has_reading(token)) ids.emplace(Reading(token), id);
  }
  std::vector<int32_t> copies(vocabulary.source_size, -1);
  for (int32_t id = 0; id < vocabulary.source_size; ++id) {
    const Tokenizer::Token& token = tokenizers.source->token(id);
    if (!has_reading(token)) continue;
    const auto found = ids.find(Reading(token));
    if (found != ids.end()) copies[id] = found->second;
  }
  return copies;
}

}  // namespace

TokenPairs TokensOf(const Tokenizers& tokenizers,
                    absl::Span<const TextPair> pairs) {
  TokenPairs tokens;
  for (const TextPair& pair : pairs) {
    tokens.sources.push_back(tokenizers.source->Encode(pair.source));
    tokens.targets.push_back(
        tokenizers.target->Encode(pair.references.front()));
  }
  return tokens;
}

KnownTokens KnownTokensOf(const Tokenizers& tokenizers,
                          const ShortlistVocabulary& vocabulary,
                          absl::Span<const int32_t> eos_ids,
                          absl::Span<const TextPair> pairs) {
  KnownTokens known;
  known.copies = CopiesOf(tokenizers, vocabulary);
  known.always.assign(eos_ids.begin(), eos_ids.end());
  for (const LanguageToken& language : tokenizers.languages) {
    known.always.push_back(language.id);
  }
  const absl::flat_hash_set<std::string> characters = CharactersOf(pairs);
  for (int32_t id = 0; id < vocabulary.size; ++id) {
    if (IsSpelling(tokenizers.target->token(id), characters)) {
      known.always.push_back(id);
    }
  }
  return known;
}

}  // namespace sheaf
