// SPDX-License-Identifier: Apache-2.0

#include "server/utf8_tokens.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

bool HasControlCharacter(absl::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t byte = static_cast<uint8_t>(text[i]);
    const uint8_t next =
        i + 1 < text.size() ? static_cast<uint8_t>(text[i + 1]) : 0;
    if (byte < 0x20 || byte == 0x7F) return true;
    if (byte == 0xC2 && next >= 0x80 && next < 0xA0) return true;
  }
  return false;
}

}  // namespace

std::shared_ptr<const Utf8Rule> Utf8RuleOf(const ServedModel& model) {
  const Tokenizer* const tokenizer = model.tokenizers.target.get();
  if (tokenizer == nullptr) return nullptr;
  const int32_t num_tokens =
      std::min(tokenizer->num_tokens(), model.vocab_size);
  using Kind = Tokenizer::Token::Kind;
  std::vector<Utf8Rule::ByteToken> tokens;
  for (int32_t id = 0; id < num_tokens; ++id) {
    const Tokenizer::Token& token = tokenizer->token(id);
    const bool is_text =
        token.kind == Kind::kText ||
        (token.kind == Kind::kBytes && IsValidUtf8(token.text));
    if (is_text ? HasControlCharacter(token.text)
                : token.kind == Kind::kBytes) {
      tokens.emplace_back(id, token.text);
    }
  }
  return tokens.empty() ? nullptr : std::make_shared<const Utf8Rule>(tokens);
}

}  // namespace sheaf
