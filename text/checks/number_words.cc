// SPDX-License-Identifier: Apache-2.0

#include "text/checks/number_words.h"

#include <unicode/dtfmtsym.h>
#include <unicode/locid.h>
#include <unicode/rbnf.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/synchronization/mutex.h"
#include "text/abbreviations.h"

namespace sheaf {
namespace {

// The words of all languages asked for so far. ICU knows some hundreds.
struct Cache {
  absl::Mutex mu;
  absl::flat_hash_map<std::string, std::unique_ptr<const NumberWords>> words
      ABSL_GUARDED_BY(mu);
};

std::vector<int> SmallNumbers() {
  std::vector<int> numbers;
  for (int n = 0; n <= 20; ++n) numbers.push_back(n);
  for (int n = 30; n <= 100; n += 10) numbers.push_back(n);
  numbers.push_back(1000);
  return numbers;
}

std::string ToLower(icu::UnicodeString text, const icu::Locale& locale) {
  std::string lower;
  text.toLower(locale).toUTF8String(lower);
  return lower;
}

}  // namespace

const NumberWords& NumberWords::For(absl::string_view language) {
  static Cache* const cache = new Cache;
  const std::string primary(PrimaryLanguage(language));
  absl::MutexLock lock(&cache->mu);
  std::unique_ptr<const NumberWords>& words = cache->words[primary];
  if (words == nullptr) words.reset(new NumberWords(primary));
  return *words;
}

NumberWords::NumberWords(const std::string& language) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Locale locale = icu::Locale::forLanguageTag(language, error);
  if (U_FAILURE(error) || locale.isBogus()) return;
  AddNumbers(language);
  AddMonths(language);
}

void NumberWords::AddNumbers(const std::string& language) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Locale locale(language.c_str());
  const icu::RuleBasedNumberFormat format(icu::URBNF_SPELLOUT, locale, error);
  // ICU takes the words of another language for one that it does not know.
  if (U_FAILURE(error) ||
      absl::string_view(
          format.getLocale(ULOC_ACTUAL_LOCALE, error).getLanguage()) !=
          locale.getLanguage()) {
    return;
  }
  for (int32_t i = 0; i < format.getNumberOfRuleSetNames(); ++i) {
    const icu::UnicodeString rules = format.getRuleSetName(i);
    std::string name;
    rules.toUTF8String(name);
    if (!absl::StrContains(name, "cardinal") &&
        !absl::StrContains(name, "ordinal")) {
      continue;
    }
    for (int number : SmallNumbers()) {
      icu::UnicodeString word;
      icu::FieldPosition position;
      format.format(int32_t{number}, rules, word, position, error);
      if (U_FAILURE(error)) return;
      word.findAndReplace(icu::UnicodeString(char16_t{0xAD}), "");
      numbers_.emplace(ToLower(word, locale), number);
    }
  }
}

void NumberWords::AddMonths(const std::string& language) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Locale locale(language.c_str());
  const icu::DateFormatSymbols symbols(locale, error);
  if (error != U_ZERO_ERROR) return;
  using Symbols = icu::DateFormatSymbols;
  for (auto context : {Symbols::FORMAT, Symbols::STANDALONE}) {
    for (auto width : {Symbols::WIDE, Symbols::ABBREVIATED}) {
      int32_t count = 0;
      const icu::UnicodeString* months =
          symbols.getMonths(count, context, width);
      for (int32_t i = 0; i < count; ++i) {
        std::string month = ToLower(months[i], locale);
        while (absl::EndsWith(month, ".")) month.pop_back();
        months_.emplace(month, i + 1);
      }
    }
  }
}

int NumberWords::NumberAtBegin(absl::string_view word) const {
  constexpr size_t kMinBytes = 4;
  constexpr size_t kMaxBytes = 32;
  for (size_t n = std::min(word.size(), kMaxBytes); n >= kMinBytes; --n) {
    const int number = Number(word.substr(0, n));
    if (number >= 0) return number;
  }
  return -1;
}

int NumberWords::Find(const Words& words, absl::string_view word) {
  const auto found = words.find(word);
  return found == words.end() ? -1 : found->second;
}

}  // namespace sheaf
