// SPDX-License-Identifier: Apache-2.0

#include "text/checks/word_borders.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include "text/utf8.h"

namespace sheaf {

bool IsOfSpacedWord(int32_t character) {
  if (!IsWordCharacter(character)) return false;
  if (character < 0x80) return true;
  switch (u_getIntPropertyValue(character, UCHAR_SCRIPT)) {
    case USCRIPT_HAN:
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA:
    case USCRIPT_THAI:
    case USCRIPT_LAO:
    case USCRIPT_KHMER:
    case USCRIPT_MYANMAR:
      return false;
    default:
      return true;
  }
}

bool HasWordBefore(absl::string_view text, size_t at) {
  return at > 0 && IsOfSpacedWord(PreviousCharacter(text, at));
}

bool HasWordAt(absl::string_view text, size_t at) {
  return at < text.size() && IsOfSpacedWord(NextCharacter(text, at));
}

bool IsAtWordBorders(absl::string_view text, TextRange range) {
  return !(HasWordBefore(text, range.begin) && HasWordAt(text, range.begin)) &&
         !(HasWordBefore(text, range.end) && HasWordAt(text, range.end));
}

}  // namespace sheaf
