// SPDX-License-Identifier: Apache-2.0

#include "text/checks/currencies.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/ucurr.h>
#include <unicode/unistr.h>

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "text/abbreviations.h"
#include "text/checks/letter_case.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// The ISO 4217 codes of a sign. Empty for signs without a table entry.
std::vector<const char*> CodesOf(int32_t sign) {
  switch (sign) {
    case '$':
      return {"USD", "CAD", "AUD"};
    case 0xA2:  // cent
      return {"USD"};
    case 0xA3:
      return {"GBP"};
    case 0xA5:
    case 0xFFE5:
      return {"JPY", "CNY"};
    case 0x20A9:
      return {"KRW"};
    case 0x20AA:
      return {"ILS"};
    case 0x20AC:
      return {"EUR"};
    case 0x20B4:
      return {"UAH"};
    case 0x20B9:
      return {"INR"};
    case 0x20BA:
      return {"TRY"};
    case 0x20BD:
      return {"RUB"};
    default:
      return {};
  }
}

// The last part of a currency's name: "dollar" of "US-Dollar". Empty if ICU has
// no name.
std::string NameOf(const char* code, absl::string_view language) {
  UErrorCode error = U_ZERO_ERROR;
  const std::string locale(PrimaryLanguage(language));
  const icu::UnicodeString iso(code);
  int32_t size = 0;
  const UChar* name =
      ucurr_getPluralName(icu::UnicodeString(iso).getTerminatedBuffer(),
                          locale.c_str(), nullptr, "one", &size, &error);
  if (U_FAILURE(error) || error == U_USING_DEFAULT_WARNING) return "";
  std::string text;
  icu::UnicodeString(name, size).toUTF8String(text);
  text = ToLowerCase(text, language);
  const size_t last = text.find_last_of(" -");
  return last == text.npos ? text : text.substr(last + 1);
}

// Whether the sign's code or name stands in `lower`, which is in lower case.
bool HasNameOrCode(int32_t sign, absl::string_view lower,
                   absl::string_view language) {
  for (const char* code : CodesOf(sign)) {
    if (absl::StrContains(lower, ToLowerCase(code, "en"))) return true;
    const std::string name = NameOf(code, language);
    if (!name.empty() && absl::StrContains(lower, name)) return true;
  }
  return false;
}

absl::flat_hash_map<int32_t, int> CountSigns(absl::string_view text) {
  absl::flat_hash_map<int32_t, int> counts;
  for (size_t at = 0; at < text.size();) {
    const int32_t character = NextCharacter(text, at);
    if (u_charType(character) == U_CURRENCY_SYMBOL) ++counts[character];
  }
  return counts;
}

}  // namespace

void AppendCurrencyDifferences(absl::string_view text, absl::string_view other,
                               absl::string_view language,
                               std::vector<TextRange>& ranges) {
  absl::flat_hash_map<int32_t, int> left;  // signs of `other` without a pair
  absl::flat_hash_map<int32_t, bool> is_named;
  bool has_counts = false;
  std::string lower;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const int32_t sign = NextCharacter(text, at);
    if (u_charType(sign) != U_CURRENCY_SYMBOL) continue;
    if (!has_counts) {
      left = CountSigns(other);
      lower = ToLowerCase(other, language);
      has_counts = true;
    }
    if (left[sign]-- > 0) continue;
    const auto [entry, is_new] = is_named.emplace(sign, false);
    if (is_new) entry->second = HasNameOrCode(sign, lower, language);
    if (!entry->second) ranges.push_back({begin, at});
  }
}

}  // namespace sheaf
