// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string_view>

namespace sheaf {

inline constexpr uint64_t kFnv1aStart = 0xcbf29ce484222325;

// FNV-1a, 64 bits. The hash of two texts in a row is
// Fnv1a(second, Fnv1a(first)). Standard library only, so that the trainer can
// include it.
constexpr uint64_t Fnv1a(std::string_view bytes, uint64_t hash = kFnv1aStart) {
  for (const char c : bytes) {
    hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  }
  return hash;
}

}  // namespace sheaf
