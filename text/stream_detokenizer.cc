// SPDX-License-Identifier: Apache-2.0

#include "text/stream_detokenizer.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr absl::string_view kReplacementCharacter = "\xEF\xBF\xBD";

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
  if (has_space_ && !is_space_of_unknown_) out += ' ';
  has_space_ = false;
  return out;
}

std::string StreamDetokenizer::HeldText() const {
  StreamDetokenizer end = *this;
  // Other bytes are the beginning of one character.
  if (!IsValidUtf8(bytes_)) end.bytes_.clear();
  return end.Finish();
}

void StreamDetokenizer::AppendToken(const Tokenizer::Token& token,
                                    std::string& out) {
  switch (token.kind) {
    case Tokenizer::Token::Kind::kDropped:
      return;
    case Tokenizer::Token::Kind::kBytes:
      bytes_ += token.text;
      return;
    case Tokenizer::Token::Kind::kUnknown:
      TakeBytes(/*is_run_over=*/true, out);
      is_space_of_unknown_ = has_space_;
      return;
    case Tokenizer::Token::Kind::kText:
      break;
  }
  TakeBytes(/*is_run_over=*/true, out);
  absl::string_view text = token.text;
  if (is_at_start_ && token.has_word_space) {
    text.remove_prefix(1);
    if (tokenizer_->keeps_extra_spaces()) is_at_start_ = false;
  }
  if (!text.empty()) AppendText(text, out);
}

// REQUIRES: `text` is not empty.
void StreamDetokenizer::AppendText(absl::string_view text, std::string& out) {
  is_at_start_ = false;
  if (has_space_ && !(is_space_of_unknown_ && text[0] == ' ')) out += ' ';
  has_space_ = text == " ";
  is_space_of_unknown_ = false;
  if (!has_space_) out.append(text.data(), text.size());
}

// Moves the characters of bytes_ to `out`. If further bytes may follow, the
// beginning of a last character stays.
void StreamDetokenizer::TakeBytes(bool is_run_over, std::string& out) {
  using BrokenBytes = Tokenizer::BrokenBytes;
  if (tokenizer_->broken_bytes() == BrokenBytes::kSpoilRun) {
    if (is_run_over) TakeRun(out);
    return;
  }
  size_t taken = 0;
  while (taken < bytes_.size()) {
    const absl::string_view rest = absl::string_view(bytes_).substr(taken);
    const size_t size = CharacterSize(static_cast<uint8_t>(rest[0]));
    if (!is_run_over && rest.size() < size && AreTrailBytes(rest.substr(1))) {
      break;
    }
    const absl::string_view character = rest.substr(0, size);
    if (IsValidUtf8(character)) {
      AppendText(character, out);
      taken += character.size();
      continue;
    }
    if (tokenizer_->broken_bytes() != BrokenBytes::kDropped) {
      AppendText(kReplacementCharacter, out);
    }
    const bool is_joined =
        tokenizer_->broken_bytes() == BrokenBytes::kReplacedTogether;
    taken += is_joined ? BrokenCharacterSize(rest) : 1;
  }
  bytes_.erase(0, taken);
}

// Moves a whole run of bytes to `out`.
void StreamDetokenizer::TakeRun(std::string& out) {
  if (bytes_.empty()) return;
  if (IsValidUtf8(bytes_)) {
    AppendText(bytes_, out);
  } else {
    for (size_t i = 0; i < bytes_.size(); ++i) {
      AppendText(kReplacementCharacter, out);
    }
  }
  bytes_.clear();
}

}  // namespace sheaf
