#include "server/text/utf8.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "engine/check.h"

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

namespace {

// NFKC sorts a run of combining marks in time quadratic in its length. So the
// text is normalized in chunks of about this many bytes.
constexpr size_t kNormalizedAtOnce = 512;
// Unicode's Stream-Safe Text Format (UAX 15) allows 30 marks in a run. A chunk
// that reaches its end within a longer run is cut there.
constexpr int32_t kMaxMarks = 30;
constexpr size_t kBytesBetweenQuestions = 64 << 10;

// The end of the chunk that begins at `begin`: a place that NFKC does not look
// across, if one comes within kMaxMarks characters.
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
                        absl::FunctionRef<bool()> goes_on) {
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
      if (!goes_on()) break;
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
