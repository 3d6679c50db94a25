// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <type_traits>

namespace sheaf {

// The names of an enum's values, for both directions. Standard library only, so
// that the trainer can include it.
//
//   constexpr EnumNames<KvType, 2> kKvTypes = {
//       {{{KvType::kF32, "f32"}, {KvType::kBf16, "bf16"}}}};
template <typename Enum, size_t N>
struct EnumNames {
  struct Entry {
    Enum value;
    const char* name;
  };
  std::array<Entry, N> entries;

  // REQUIRES: the table has the value.
  constexpr const char* Name(Enum value) const {
    for (const Entry& entry : entries) {
      if (entry.value == value) return entry.name;
    }
    return "";
  }
  // Returns nullopt if no value has this name. `Text` is any class of strings.
  template <typename Text>
  constexpr std::optional<Enum> Parse(const Text& name) const {
    static_assert(std::is_class_v<Text>);
    for (const Entry& entry : entries) {
      if (name == entry.name) return entry.value;
    }
    return std::nullopt;
  }
};

}  // namespace sheaf
