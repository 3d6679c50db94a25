#include "server/text/languages.h"

#include <unicode/locid.h>
#include <unicode/uloc.h>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"

namespace sheaf {

absl::StatusOr<std::string> ParseLanguage(absl::string_view field,
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
  uloc_forLanguageTag(dashes.c_str(), name, sizeof(name), &parsed, &status);
  if (U_FAILURE(status) || parsed != static_cast<int32_t>(tag.size())) {
    return unknown;
  }
  const icu::Locale locale = icu::Locale::createCanonical(name);
  // Only languages of ICU's list have a three-letter code.
  if (*locale.getLanguage() == '\0' || *locale.getISO3Language() == '\0') {
    return unknown;
  }
  return std::string(locale.getLanguage());
}

}  // namespace sheaf
