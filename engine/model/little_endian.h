// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

namespace sheaf {

// The numbers of files. They are read byte by byte, so that the byte order of
// the machine does not matter; compilers turn it into one load where possible.
inline uint16_t LoadU16(const uint8_t* p) {
  return static_cast<uint16_t>(p[0] | p[1] << 8);
}
inline uint32_t LoadU32(const uint8_t* p) {
  return LoadU16(p) | static_cast<uint32_t>(LoadU16(p + 2)) << 16;
}
inline uint64_t LoadU64(const uint8_t* p) {
  return LoadU32(p) | static_cast<uint64_t>(LoadU32(p + 4)) << 32;
}

}  // namespace sheaf
