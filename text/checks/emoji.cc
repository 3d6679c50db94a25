// SPDX-License-Identifier: Apache-2.0

#include "text/checks/emoji.h"

#include <unicode/uchar.h>

#include <cstdint>

#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr int32_t kZeroWidthJoiner = 0x200D;
constexpr int32_t kEmojiForm = 0xFE0F;  // variation selector 16
constexpr int32_t kTradeMark = 0x2122;

bool IsPictograph(int32_t character) {
  return character != kTradeMark &&
         u_hasBinaryProperty(character, UCHAR_EXTENDED_PICTOGRAPHIC);
}

bool IsRegionalIndicator(int32_t character) {
  return u_hasBinaryProperty(character, UCHAR_REGIONAL_INDICATOR);
}

// Skin tones, the form, and the tags of the flags of regions.
bool IsModifier(int32_t character) {
  return character == kEmojiForm ||
         u_hasBinaryProperty(character, UCHAR_EMOJI_MODIFIER) ||
         (character >= 0xE0020 && character <= 0xE007F);
}

// Moves `at` past the next character if it is one of those.
bool Take(absl::string_view text, bool (*is_one)(int32_t), size_t& at) {
  size_t next = at;
  if (next == text.size() || !is_one(NextCharacter(text, next))) return false;
  at = next;
  return true;
}

}  // namespace

size_t EmojiEnd(absl::string_view text, size_t begin) {
  // The first byte of U+2000, before which there is none.
  if (static_cast<uint8_t>(text[begin]) < 0xE2) return begin;
  size_t at = begin;
  if (Take(text, IsRegionalIndicator, at)) {
    return Take(text, IsRegionalIndicator, at) ? at : begin;
  }
  size_t end = begin;
  while (Take(text, IsPictograph, at)) {
    while (Take(text, IsModifier, at)) {
    }
    end = at;
    const auto is_joiner = [](int32_t c) { return c == kZeroWidthJoiner; };
    if (!Take(text, is_joiner, at)) break;
  }
  return end;
}

}  // namespace sheaf
