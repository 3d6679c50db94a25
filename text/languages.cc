// SPDX-License-Identifier: Apache-2.0

#include "text/languages.h"

#include <unicode/locid.h>
#include <unicode/uloc.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sheaf {
namespace {

// Codes that ISO 639-3 has for the usual form of a language, as the names of
// multilingual models have them, where ICU's canonical form is not the code of
// the language.
constexpr std::pair<const char*, const char*> kAliases[] = {
    {"fuv", "ff"}, {"pbt", "ps"}, {"quy", "qu"}};

// Languages that ICU distinguishes and that can replace one another.
struct Relation {
  const char *asked, *offered;
  int32_t distance;
};
constexpr int32_t kFar = 10;  // greater than between any two scripts
constexpr Relation kRelations[] = {
    // Norwegian is Bokmål or Nynorsk, and usually means Bokmål.
    {"nb", "no", kFar},
    {"no", "nb", kFar},
    {"nn", "no", kFar},
    {"no", "nn", 2 * kFar},
};

// The script that is usual for a language, or in a region.
std::string LikelyScript(icu::Locale locale) {
  UErrorCode status = U_ZERO_ERROR;
  locale.addLikelySubtags(status);
  return U_FAILURE(status) ? "" : locale.getScript();
}

std::string WithoutAlias(const std::string& tag) {
  const std::string code = tag.substr(0, tag.find('-'));
  for (const auto& [alias, language] : kAliases) {
    if (absl::AsciiStrToLower(code) == alias) {
      return absl::StrCat(language, tag.substr(code.size()));
    }
  }
  return tag;
}

}  // namespace

std::string Language::ToString() const {
  return has_script ? absl::StrCat(code, "-", script) : code;
}

absl::StatusOr<Language> ParseLanguage(absl::string_view field,
                                       absl::string_view tag) {
  const absl::Status unknown = absl::InvalidArgumentError(absl::StrFormat(
      "%s is \"%s%s\"; a BCP 47 language tag is asked for, as \"en\" or "
      "\"de-AT\"",
      field, absl::CHexEscape(tag.substr(0, 40)),
      tag.size() > 40 ? "..." : ""));
  constexpr size_t kMaxTag = 100;
  if (tag.empty() || tag.size() > kMaxTag) return unknown;
  for (char c : tag) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_') return unknown;
  }
  UErrorCode status = U_ZERO_ERROR;
  char name[ULOC_FULLNAME_CAPACITY];
  int32_t parsed = 0;
  std::string dashes(tag);
  for (char& c : dashes) c = c == '_' ? '-' : c;
  dashes = WithoutAlias(dashes);
  uloc_forLanguageTag(dashes.c_str(), name, sizeof(name), &parsed, &status);
  if (U_FAILURE(status) || parsed != static_cast<int32_t>(dashes.size())) {
    return unknown;
  }
  const icu::Locale locale = icu::Locale::createCanonical(name);
  // Only the languages that ICU lists have a three-letter code.
  if (*locale.getLanguage() == '\0' || *locale.getISO3Language() == '\0') {
    return unknown;
  }
  Language language;
  language.code = locale.getLanguage();
  language.script = LikelyScript(locale);
  language.has_script =
      *locale.getScript() != '\0' ||
      language.script != LikelyScript(icu::Locale(locale.getLanguage()));
  language.has_region = *locale.getCountry() != '\0';
  return language;
}

bool IsSame(const Language& a, const Language& b) {
  return a.code == b.code && a.script == b.script &&
         a.has_script == b.has_script;
}

std::optional<int32_t> LanguageDistance(const Language& asked,
                                        const Language& offered) {
  std::optional<int32_t> distance;
  if (asked.code == offered.code) distance = 0;
  for (const Relation& relation : kRelations) {
    if (asked.code == relation.asked && offered.code == relation.offered) {
      distance = relation.distance;
    }
  }
  if (!distance) return std::nullopt;
  if (asked.script == offered.script) {
    return *distance + (asked.has_script == offered.has_script ? 0 : 1);
  }
  if (!offered.has_script && !offered.has_region) return *distance + 2;
  if (!asked.has_script && !asked.has_region) return *distance + 3;
  return std::nullopt;
}

}  // namespace sheaf
