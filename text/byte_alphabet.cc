// SPDX-License-Identifier: Apache-2.0

#include "text/byte_alphabet.h"

#include <array>
#include <cstddef>

#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr int32_t kFirstOther = 256;  // the character of the first other byte
constexpr int32_t kNumCharacters = 324;

// Bytes that are visible characters of Latin-1 are written as themselves.
constexpr bool IsVisible(int32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) ||
         byte >= 0xAE;
}

struct Alphabet {
  std::array<int32_t, 256> characters = {};
  std::array<int32_t, kNumCharacters> bytes = {};  // -1: not a byte

  constexpr Alphabet() {
    for (int32_t& byte : bytes) byte = -1;
    int32_t next = kFirstOther;
    for (int32_t byte = 0; byte < 256; ++byte) {
      characters[byte] = IsVisible(byte) ? byte : next++;
      bytes[characters[byte]] = byte;
    }
  }
};

constexpr Alphabet kAlphabet;
static_assert(kAlphabet.bytes.back() == 0xAD);  // the last other byte

}  // namespace

int32_t ByteCharacter(uint8_t byte) { return kAlphabet.characters[byte]; }

std::optional<std::string> AlphabetBytes(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const int32_t character = NextCharacter(text, at);
    if (character >= kNumCharacters || kAlphabet.bytes[character] < 0) {
      return std::nullopt;
    }
    out.push_back(static_cast<char>(kAlphabet.bytes[character]));
  }
  return out;
}

}  // namespace sheaf
