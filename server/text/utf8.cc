#include "server/text/utf8.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

namespace sheaf {

bool IsValidUtf8(absl::string_view text) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const size_t size = text.size();
  for (size_t at = 0; at < size;) {
    UChar32 character;
    U8_NEXT(bytes, at, size, character);
    if (character < 0) return false;
  }
  return true;
}

int32_t NextCharacter(absl::string_view text, size_t& at) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  UChar32 character;
  U8_NEXT_UNSAFE(bytes, at, character);
  return character;
}

bool IsWhitespace(int32_t character) { return u_isUWhiteSpace(character); }

bool HasLetterOrDigit(absl::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (u_isalnum(NextCharacter(text, at))) return true;
  }
  return false;
}

}  // namespace sheaf
