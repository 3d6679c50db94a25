// SPDX-License-Identifier: Apache-2.0

#include "text/languages.h"

#include <unicode/locid.h>
#include <unicode/uloc.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "text/language_codes.h"

namespace sheaf {
namespace {

// Languages that ICU distinguishes and that can replace one another.
struct Relation {
  const char *asked, *offered;
  int32_t distance;
};
constexpr int32_t kScript = 4;          // greater than between any two regions
constexpr int32_t kFar = 10 * kScript;  // greater than between any two scripts
constexpr Relation kRelations[] = {
    // Norwegian is Bokmål or Nynorsk, and usually means Bokmål.
    {"nb", "no", kFar},
    {"no", "nb", kFar},
    {"nn", "no", kFar},
    {"no", "nn", 2 * kFar},
    // Twi is the largest of the Akan languages.
    {"tw", "ak", kFar},
    {"ak", "tw", kFar},
};

icu::Locale WithLikelyParts(icu::Locale locale) {
  UErrorCode status = U_ZERO_ERROR;
  locale.addLikelySubtags(status);
  return U_FAILURE(status) ? icu::Locale("") : locale;
}

// The script that is usual for a language, or in a region. Empty: not known.
std::string LikelyScript(const icu::Locale& locale) {
  return WithLikelyParts(locale).getScript();
}

bool IsLikelyRegion(const Language& language) {
  const icu::Locale likely = WithLikelyParts(
      icu::Locale(language.code.c_str(), language.script.c_str()));
  return likely.getCountry() == language.region;
}

// From the same region to one that has nothing to do with the one asked for.
int32_t RegionDistance(const Language& asked, const Language& offered) {
  if (asked.region == offered.region) return 0;
  if (offered.region.empty()) return 1;
  return IsLikelyRegion(offered) ? 2 : 3;
}

std::optional<int32_t> ScriptDistance(const Language& asked,
                                      const Language& offered) {
  if (asked.script == offered.script) {
    return asked.has_script == offered.has_script ? 0 : 1;
  }
  if (!offered.has_script && offered.region.empty()) return 2;
  if (!asked.has_script && asked.region.empty()) return 3;
  return std::nullopt;
}

}  // namespace

std::string Language::ToString() const {
  return absl::StrCat(code, has_script ? "-" : "", has_script ? script : "",
                      region.empty() ? "" : "-", region);
}

std::optional<Language> ReadLanguage(absl::string_view tag) {
  constexpr size_t kMaxTag = 100;
  if (tag.empty() || tag.size() > kMaxTag) return std::nullopt;
  for (char c : tag) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_') return std::nullopt;
  }
  const std::string dashes = ToBcp47(tag);
  UErrorCode status = U_ZERO_ERROR;
  char name[ULOC_FULLNAME_CAPACITY];
  int32_t parsed = 0;
  uloc_forLanguageTag(dashes.c_str(), name, sizeof(name), &parsed, &status);
  if (U_FAILURE(status) || parsed != static_cast<int32_t>(dashes.size())) {
    return std::nullopt;
  }
  const icu::Locale locale = icu::Locale::createCanonical(name);
  if (*locale.getLanguage() == '\0') return std::nullopt;
  const absl::string_view primary =
      absl::string_view(dashes).substr(0, dashes.find('-'));
  if (IsLanguageGroup(primary)) return std::nullopt;
  Language language;
  language.code = locale.getLanguage();
  if (KeepsItsCode(primary)) language.code = absl::AsciiStrToLower(primary);
  language.script = LikelyScript(locale);
  language.has_script =
      *locale.getScript() != '\0' ||
      language.script != LikelyScript(icu::Locale(locale.getLanguage()));
  language.region = locale.getCountry();
  // Only the languages that ICU lists have a three-letter code.
  language.is_known = *locale.getISO3Language() != '\0';
  return language;
}

absl::Status UnknownLanguage(absl::string_view field, absl::string_view tag) {
  constexpr size_t kMaxShown = 40;
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s is \"%s%s\"; a BCP 47 language tag is asked for, as \"en\" or "
      "\"de-AT\"",
      field, absl::CHexEscape(tag.substr(0, kMaxShown)),
      tag.size() > kMaxShown ? "..." : ""));
}

absl::StatusOr<Language> ParseLanguage(absl::string_view field,
                                       absl::string_view tag) {
  std::optional<Language> language = ReadLanguage(tag);
  if (!language || !language->is_known) return UnknownLanguage(field, tag);
  return *std::move(language);
}

std::string TagOfScript(absl::string_view script) {
  for (absl::string_view many : {"Arab", "Cyrl", "Deva", "Latn"}) {
    if (script == many) return "";
  }
  const icu::Locale likely =
      WithLikelyParts(icu::Locale("und", std::string(script).c_str()));
  // ICU takes a language that it does not know for English.
  const absl::string_view language = likely.getLanguage();
  if (language.empty() || language == "und" || language == "en") return "";
  return script == LikelyScript(icu::Locale(likely.getLanguage()))
             ? std::string(language)
             : absl::StrCat(language, "-", script);
}

bool IsSame(const Language& a, const Language& b) {
  return a.code == b.code && a.script == b.script && a.region == b.region &&
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
  const std::optional<int32_t> script = ScriptDistance(asked, offered);
  if (!script) return std::nullopt;
  return *distance + *script * kScript + RegionDistance(asked, offered);
}

std::vector<std::string> ShortestTags(absl::Span<const Language> languages) {
  std::vector<std::string> tags;
  tags.reserve(languages.size());
  for (const Language& language : languages) {
    const auto has_other = [&](auto differs) {
      return std::any_of(languages.begin(), languages.end(),
                         [&](const Language& other) {
                           return other.code == language.code && differs(other);
                         });
    };
    const std::string usual = LikelyScript(icu::Locale(language.code.c_str()));
    const bool shows_script =
        (language.has_script && !usual.empty() && language.script != usual) ||
        has_other([&](const Language& other) {
          return other.script != language.script ||
                 (language.has_script && !other.has_script);
        });
    const bool shows_region = has_other([&](const Language& other) {
      return other.script == language.script && other.region != language.region;
    });
    tags.push_back(language.code);
    if (shows_script && language.has_script) {
      absl::StrAppend(&tags.back(), "-", language.script);
    }
    if (shows_region && !language.region.empty()) {
      absl::StrAppend(&tags.back(), "-", language.region);
    }
  }
  return tags;
}

}  // namespace sheaf
