// SPDX-License-Identifier: Apache-2.0

#include "text/utf8.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "base/check.h"

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

size_t CharacterSize(uint8_t lead) {
  if (lead >= 0xC0 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF8) return 4;
  return 1;
}

size_t BrokenCharacterSize(absl::string_view text) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const size_t size = text.size();
  size_t at = 0;
  UChar32 character;
  U8_NEXT(bytes, at, size, character);
  SHEAF_CHECK(character < 0);
  return at;
}

int32_t NextCharacter(absl::string_view text, size_t& at) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  UChar32 character;
  U8_NEXT_UNSAFE(bytes, at, character);
  return character;
}

int32_t PreviousCharacter(absl::string_view text, size_t& at) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  UChar32 character;
  U8_PREV_UNSAFE(bytes, at, character);
  return character;
}

void AppendCharacter(int32_t character, std::string& text) {
  uint8_t bytes[U8_MAX_LENGTH];
  int32_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, character);
  text.append(reinterpret_cast<const char*>(bytes), size);
}

// ICU's tables take several times as long as these comparisons, and most text
// is ASCII.
namespace {

bool IsAscii(int32_t character) { return character >= 0 && character < 0x80; }
bool IsAsciiDigit(int32_t character) {
  return character >= '0' && character <= '9';
}
bool IsAsciiLetter(int32_t character) {
  const int32_t small = character | 0x20;
  return small >= 'a' && small <= 'z';
}

}  // namespace

bool IsWhitespace(int32_t character) {
  if (IsAscii(character)) {
    return character == ' ' || (character >= '\t' && character <= '\r');
  }
  return u_isUWhiteSpace(character);
}

bool IsLineBreak(int32_t character) {
  switch (character) {
    case '\n':
    case '\r':
    case 0x85:    // next line
    case 0x2028:  // line separator
    case 0x2029:  // paragraph separator
      return true;
    default:
      return false;
  }
}

bool IsLetter(int32_t character) {
  if (IsAscii(character)) return IsAsciiLetter(character);
  return (U_GET_GC_MASK(character) & U_GC_L_MASK) != 0;
}

bool IsNumber(int32_t character) {
  if (IsAscii(character)) return IsAsciiDigit(character);
  return (U_GET_GC_MASK(character) & U_GC_N_MASK) != 0;
}

bool IsLetterOrDigit(int32_t character) {
  if (IsAscii(character)) {
    return IsAsciiLetter(character) || IsAsciiDigit(character);
  }
  return u_isalnum(character);
}

bool IsWordCharacter(int32_t character) {
  if (IsAscii(character)) {
    return IsAsciiLetter(character) || IsAsciiDigit(character) ||
           character == '_';
  }
  constexpr uint32_t kWordMask = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
  return (U_GET_GC_MASK(character) & kWordMask) != 0 ||
         u_hasBinaryProperty(character, UCHAR_ALPHABETIC) ||
         u_hasBinaryProperty(character, UCHAR_JOIN_CONTROL);
}

int32_t SentenceBreak(int32_t character) {
  return u_getIntPropertyValue(character, UCHAR_SENTENCE_BREAK);
}

bool HasLetterOrDigit(absl::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (IsLetterOrDigit(NextCharacter(text, at))) return true;
  }
  return false;
}

bool HasLetter(absl::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const int32_t character = NextCharacter(text, at);
    if (IsLetter(character) && !u_hasBinaryProperty(character, UCHAR_EMOJI)) {
      return true;
    }
  }
  return false;
}

namespace {

// NFKC sorts a run of combining marks in time quadratic in its length. The text
// is therefore normalized in chunks of about this many bytes.
constexpr size_t kNormalizedAtOnce = 512;
// Unicode's Stream-Safe Text Format (UAX 15) allows 30 marks in a run. A chunk
// that reaches its end within a longer run is cut there.
constexpr int32_t kMaxMarks = 30;
constexpr size_t kBytesBetweenQuestions = 64 << 10;

// The end of the chunk that begins at `begin`. It is a boundary of NFKC if
// there is one within kMaxMarks characters.
size_t ChunkEnd(absl::string_view text, size_t begin,
                const icu::Normalizer2& nfkc) {
  if (text.size() - begin <= kNormalizedAtOnce) return text.size();
  size_t end = CharacterBegin(text, begin + kNormalizedAtOnce);
  for (int32_t i = 0; i <= kMaxMarks && end < text.size(); ++i) {
    size_t next = end;
    if (nfkc.hasBoundaryBefore(NextCharacter(text, next))) return end;
    end = next;
  }
  return end;
}

}  // namespace

int64_t NormalizedBytes(absl::string_view text,
                        absl::FunctionRef<bool()> is_wanted) {
  class Counter : public icu::ByteSink {
   public:
    void Append(const char*, int32_t n) override { bytes += n; }
    int64_t bytes = 0;
  } counter;
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfkc = icu::Normalizer2::getNFKCInstance(error);
  SHEAF_CHECK(U_SUCCESS(error));
  size_t next_question = 0;
  for (size_t begin = 0; begin < text.size();) {
    if (begin >= next_question) {
      if (!is_wanted()) break;
      next_question = begin + kBytesBetweenQuestions;
    }
    const size_t end = ChunkEnd(text, begin, *nfkc);
    nfkc->normalizeUTF8(0,
                        icu::StringPiece(text.data() + begin,
                                         static_cast<int32_t>(end - begin)),
                        counter, /*edits=*/nullptr, error);
    SHEAF_CHECK(U_SUCCESS(error));
    begin = end;
  }
  return counter.bytes;
}

size_t CharacterBegin(absl::string_view text, size_t at) {
  while (at > 0 && at < text.size() && U8_IS_TRAIL(text[at])) --at;
  return at;
}

}  // namespace sheaf
