// SPDX-License-Identifier: Apache-2.0

#include "text/checks/repetition.h"

#include <algorithm>
#include <string>
#include <vector>

#include "text/checks/letter_case.h"
#include "text/checks/word_borders.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// The words of a text in lower case, which the result has views of.
std::vector<absl::string_view> WordsOf(absl::string_view text) {
  std::vector<absl::string_view> words;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const int32_t first = NextCharacter(text, at);
    if (IsWhitespace(first)) continue;
    if (!IsWordCharacter(first) || IsOfSpacedWord(first)) {
      while (at < text.size()) {
        size_t next = at;
        const int32_t character = NextCharacter(text, next);
        if (IsWhitespace(character) ||
            IsOfSpacedWord(character) != IsOfSpacedWord(first) ||
            IsWordCharacter(character) != IsWordCharacter(first)) {
          break;
        }
        at = next;
      }
    }
    words.push_back(text.substr(begin, at - begin));
  }
  return words;
}

}  // namespace

size_t NumRepeatedWords(absl::string_view text) {
  constexpr size_t kShortPhrase = 2;  // words
  constexpr size_t kLongPhrase = 32;
  constexpr size_t kTimesOfShort = 4;
  const std::string lower = ToLowerCase(text, "");
  const std::vector<absl::string_view> words = WordsOf(lower);
  size_t most = 0;
  for (size_t period = 1; period <= kLongPhrase; ++period) {
    const size_t times = period <= kShortPhrase ? kTimesOfShort : 2;
    size_t run = 0;
    for (size_t i = period; i < words.size(); ++i) {
      run = words[i] == words[i - period] ? run + 1 : 0;
      if (run >= period * (times - 1)) most = std::max(most, run);
    }
  }
  return most;
}

}  // namespace sheaf
