// SPDX-License-Identifier: Apache-2.0

#include "text/language_names.h"

#include <unicode/locid.h>
#include <unicode/unistr.h>

namespace sheaf {

std::string EnglishName(absl::string_view tag) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Locale locale = icu::Locale::forLanguageTag(
      icu::StringPiece(tag.data(), static_cast<int32_t>(tag.size())), error);
  std::string name;
  if (U_SUCCESS(error)) {
    icu::UnicodeString words;
    locale.getDisplayName(icu::Locale::getEnglish(), words).toUTF8String(name);
  }
  return name.empty() ? std::string(tag) : name;
}

}  // namespace sheaf
