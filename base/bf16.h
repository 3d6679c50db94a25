// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <cstring>

namespace sheaf {

// bfloat16 is the upper half of an f32. Rounds to the nearest, ties to even.
// REQUIRES: `value` is finite.
inline uint16_t ToBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline float FromBf16(uint16_t value) {
  const uint32_t bits = uint32_t{value} << 16;
  float widened;
  std::memcpy(&widened, &bits, sizeof(widened));
  return widened;
}

}  // namespace sheaf
