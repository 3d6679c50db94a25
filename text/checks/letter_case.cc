// SPDX-License-Identifier: Apache-2.0

#include "text/checks/letter_case.h"

#include <unicode/bytestream.h>
#include <unicode/casemap.h>
#include <unicode/edits.h>
#include <unicode/ucasemap.h>

#include "base/check.h"
#include "text/abbreviations.h"

namespace sheaf {
namespace {

std::string Convert(absl::string_view text, LetterCase letter_case,
                    absl::string_view language, icu::Edits* edits) {
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  const std::string locale(PrimaryLanguage(language));
  const icu::StringPiece piece(text.data(), static_cast<int32_t>(text.size()));
  UErrorCode error = U_ZERO_ERROR;
  switch (letter_case) {
    case LetterCase::kLower:
      icu::CaseMap::utf8ToLower(locale.c_str(), 0, piece, sink, edits, error);
      break;
    case LetterCase::kUpper:
      icu::CaseMap::utf8ToUpper(locale.c_str(), 0, piece, sink, edits, error);
      break;
    case LetterCase::kTitle:
      icu::CaseMap::utf8ToTitle(
          locale.c_str(), U_TITLECASE_NO_LOWERCASE | U_TITLECASE_WHOLE_STRING,
          nullptr, piece, sink, edits, error);
      break;
  }
  SHEAF_CHECK(U_SUCCESS(error));
  return out;
}

}  // namespace

CasedText ToCase(absl::string_view text, LetterCase letter_case,
                 absl::string_view language) {
  icu::Edits edits;
  CasedText cased = {Convert(text, letter_case, language, &edits), {}};
  cased.places.reserve(text.size() + 1);
  UErrorCode error = U_ZERO_ERROR;
  for (icu::Edits::Iterator edit = edits.getFineIterator(); edit.next(error);) {
    const size_t begin = edit.destinationIndex();
    const size_t end = begin + edit.newLength();
    for (int32_t i = 0; i < edit.oldLength(); ++i) {
      // A character that changes is one place.
      cased.places.push_back(edit.hasChange() && i > 0 ? end : begin + i);
    }
  }
  SHEAF_CHECK(U_SUCCESS(error));
  cased.places.push_back(cased.text.size());
  return cased;
}

std::string ToLowerCase(absl::string_view text, absl::string_view language) {
  return Convert(text, LetterCase::kLower, language, /*edits=*/nullptr);
}

}  // namespace sheaf
