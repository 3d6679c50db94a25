#include "server/text/stream_detokenizer.h"

#include <cstddef>

#include "absl/strings/string_view.h"
#include "server/text/utf8.h"

namespace sheaf {
namespace {

constexpr absl::string_view kReplacementCharacter = "\xEF\xBF\xBD";

// Bytes of the character that `lead` begins; 1 if it begins none.
size_t CharacterSize(uint8_t lead) {
  if (lead >= 0xC0 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF8) return 4;
  return 1;
}

bool AreTrailBytes(absl::string_view bytes) {
  for (char byte : bytes) {
    if ((static_cast<uint8_t>(byte) & 0xC0) != 0x80) return false;
  }
  return true;
}

}  // namespace

std::string StreamDetokenizer::Append(absl::Span<const int32_t> ids) {
  std::string out;
  for (int32_t id : ids) AppendToken(tokenizer_->token(id), out);
  TakeBytes(/*is_run_over=*/false, out);
  return out;
}

std::string StreamDetokenizer::Finish() {
  std::string out;
  TakeBytes(/*is_run_over=*/true, out);
  return out;
}

void StreamDetokenizer::AppendToken(const Tokenizer::Token& token,
                                    std::string& out) {
  if (token.kind == Tokenizer::Token::Kind::kDropped) return;
  if (token.kind == Tokenizer::Token::Kind::kByte) {
    bytes_.push_back(static_cast<char>(token.byte));
    return;
  }
  TakeBytes(/*is_run_over=*/true, out);
  absl::string_view text = token.text;
  if (is_at_start_ && token.has_word_space) {
    text.remove_prefix(1);
    if (tokenizer_->keeps_extra_spaces()) is_at_start_ = false;
  }
  if (!text.empty()) is_at_start_ = false;
  out.append(text.data(), text.size());
}

// Moves the characters of bytes_ to `out`, as SentencePiece reads them: a byte
// with which no whole character begins becomes U+FFFD. Unless the run of bytes
// is over, a last character of which bytes may still come stays.
void StreamDetokenizer::TakeBytes(bool is_run_over, std::string& out) {
  size_t taken = 0;
  while (taken < bytes_.size()) {
    const absl::string_view rest = absl::string_view(bytes_).substr(taken);
    const size_t size = CharacterSize(static_cast<uint8_t>(rest[0]));
    if (!is_run_over && rest.size() < size && AreTrailBytes(rest.substr(1))) {
      break;
    }
    const absl::string_view character = rest.substr(0, size);
    if (IsValidUtf8(character)) {
      out.append(character.data(), character.size());
      taken += character.size();
    } else {
      out.append(kReplacementCharacter.data(), kReplacementCharacter.size());
      taken += 1;
    }
  }
  if (taken > 0) is_at_start_ = false;
  bytes_.erase(0, taken);
}

}  // namespace sheaf
