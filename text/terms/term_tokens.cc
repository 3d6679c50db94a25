// SPDX-License-Identifier: Apache-2.0

#include "text/terms/term_tokens.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "text/checks/word_borders.h"

namespace sheaf {
namespace {

// A word that every tokenizer has, and that joins nothing.
constexpr absl::string_view kWordBefore = "a";

bool ContinuesWord(const Tokenizer::Token& token) {
  if (token.text.empty() || token.has_word_space) return false;
  if (token.kind == Tokenizer::Token::Kind::kText) {
    return HasWordAt(token.text, 0);
  }
  // A byte that is no ASCII character is most likely a part of a letter.
  const char first = token.text.front();
  return token.kind == Tokenizer::Token::Kind::kBytes &&
         (absl::ascii_isalnum(first) || !absl::ascii_isascii(first));
}

}  // namespace

std::vector<std::vector<int32_t>> TokensOfTerm(const Tokenizer& tokenizer,
                                               absl::string_view term) {
  std::vector<std::vector<int32_t>> sequences;
  std::vector<int32_t> alone = tokenizer.Encode(term);
  if (!alone.empty() && tokenizer.Decode(alone) == term) {
    sequences.push_back(std::move(alone));
  }
  const std::vector<int32_t> before = tokenizer.Encode(kWordBefore);
  const std::vector<int32_t> both =
      tokenizer.Encode(absl::StrCat(kWordBefore, " ", term));
  if (both.size() > before.size() &&
      std::equal(before.begin(), before.end(), both.begin()) &&
      tokenizer.Decode(both) == absl::StrCat(kWordBefore, " ", term)) {
    std::vector<int32_t> after(both.begin() + before.size(), both.end());
    if (sequences.empty() || sequences.front() != after) {
      sequences.push_back(std::move(after));
    }
  }
  return sequences;
}

std::vector<bool> TokensThatContinueWords(const Tokenizer& tokenizer) {
  std::vector<bool> continues(tokenizer.num_tokens());
  for (int32_t id = 0; id < tokenizer.num_tokens(); ++id) {
    continues[id] = ContinuesWord(tokenizer.token(id));
  }
  return continues;
}

}  // namespace sheaf
