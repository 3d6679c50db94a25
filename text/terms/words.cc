// SPDX-License-Identifier: Apache-2.0

#include "text/terms/words.h"

#include <unicode/uchar.h>

#include "text/checks/word_borders.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// Whether the character joins two letters, or two digits, to one word.
bool IsJoiner(int32_t character) {
  constexpr int32_t kLeftQuote = 0x2018, kRightQuote = 0x2019;
  if (character == kLeftQuote || character == kRightQuote) return false;
  switch (u_getIntPropertyValue(character, UCHAR_WORD_BREAK)) {
    case U_WB_MIDLETTER:
    case U_WB_MIDNUMLET:
    case U_WB_MIDNUM:
      return true;
    default:
      return false;
  }
}

// Whether a word goes on at `at`, within it or after a joiner.
bool ContinuesWord(absl::string_view text, size_t at) {
  if (HasWordAt(text, at)) return true;
  if (at == text.size()) return false;
  size_t after = at;
  return IsJoiner(NextCharacter(text, after)) && HasWordAt(text, after);
}

// The end of the combining characters from `at` on.
size_t MarksEnd(absl::string_view text, size_t at) {
  while (at < text.size()) {
    size_t next = at;
    if ((U_GET_GC_MASK(NextCharacter(text, next)) & U_GC_M_MASK) == 0) break;
    at = next;
  }
  return at;
}

}  // namespace

std::vector<Word> SplitIntoWords(absl::string_view text) {
  std::vector<Word> words;
  bool follows_space = false;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const bool is_word = HasWordAt(text, begin);
    if (IsWhitespace(NextCharacter(text, at))) {
      follows_space = true;
      continue;
    }
    if (is_word) {
      while (ContinuesWord(text, at)) NextCharacter(text, at);
    } else {
      at = MarksEnd(text, at);
    }
    words.push_back({{begin, at}, follows_space});
    follows_space = false;
  }
  return words;
}

int32_t FoldCase(int32_t character) {
  return u_foldCase(character, U_FOLD_CASE_DEFAULT);
}

}  // namespace sheaf
