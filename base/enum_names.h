#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

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
    std::string_view name;
  };
  std::array<Entry, N> entries;

  // REQUIRES: the table has the value.
  constexpr std::string_view Name(Enum value) const {
    for (const Entry& entry : entries) {
      if (entry.value == value) return entry.name;
    }
    return "";
  }
  constexpr std::optional<Enum> Parse(std::string_view name) const {
    for (const Entry& entry : entries) {
      if (entry.name == name) return entry.value;
    }
    return std::nullopt;
  }
};

}  // namespace sheaf
