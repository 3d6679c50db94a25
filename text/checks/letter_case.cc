// SPDX-License-Identifier: Apache-2.0

#include "text/checks/letter_case.h"

#include <unicode/bytestream.h>
#include <unicode/casemap.h>

#include "base/check.h"
#include "text/abbreviations.h"

namespace sheaf {

std::string ToLowerCase(absl::string_view text, absl::string_view language) {
  std::string lower;
  icu::StringByteSink<std::string> sink(&lower);
  UErrorCode error = U_ZERO_ERROR;
  icu::CaseMap::utf8ToLower(
      std::string(PrimaryLanguage(language)).c_str(), /*options=*/0,
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink,
      /*edits=*/nullptr, error);
  SHEAF_CHECK(U_SUCCESS(error));
  return lower;
}

}  // namespace sheaf
