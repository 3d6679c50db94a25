// SPDX-License-Identifier: Apache-2.0

#include "text/charsmap.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/str_format.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr size_t kMaxCharsMapBytes = size_t{4} << 20;
constexpr size_t kMaxReplacementBytes = 256;
constexpr int32_t kMaxNestedRules = 31;

uint32_t ReadU32(const char* bytes) {
  const auto* b = reinterpret_cast<const uint8_t*>(bytes);
  return b[0] | b[1] << 8 | b[2] << 16 | static_cast<uint32_t>(b[3]) << 24;
}

// The bit fields of one unit of the array, as Darts-clone packs them.
bool HasLeaf(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t Value(uint32_t unit) { return unit & 0x7FFFFFFF; }
uint32_t Label(uint32_t unit) { return unit & 0x800000FF; }
uint32_t Offset(uint32_t unit) {
  return (unit >> 10) << ((unit & (1u << 9)) >> 6);
}

// Walks all units that the first unit of the array leads to, depth first.
class Walk {
 public:
  Walk(absl::string_view units, absl::string_view replacements)
      : replacements_(replacements), num_rules_(units.size() / 4, kUnseen) {
    units_.reserve(units.size() / 4);
    for (size_t i = 0; i + 4 <= units.size(); i += 4) {
      units_.push_back(ReadU32(units.data() + i));
    }
  }

  absl::Status Run() {
    absl::Status status = Enter(0);
    while (status.ok() && !path_.empty()) status = Step();
    return status;
  }

 private:
  // A unit on the path to the current one.
  struct Place {
    uint32_t unit_index;
    uint32_t children;        // the child for byte c is at `children ^ c`
    int32_t next_byte = 0;    // children below have been walked
    int32_t rules_below = 0;  // maximum number of rules on a path from here
  };

  // Values of num_rules_ for units whose rules are not counted yet.
  static constexpr int32_t kUnseen = -1;
  static constexpr int32_t kOnPath = -2;

  absl::Status Enter(uint32_t unit_index) {
    const uint32_t unit = units_[unit_index];
    const uint32_t children = unit_index ^ Offset(unit);
    if ((children | 0xFF) >= units_.size()) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "unit %d leads to units %d..%d; the table has %d", unit_index,
          children & ~0xFFu, children | 0xFF, units_.size()));
    }
    if (HasLeaf(unit)) {
      absl::Status status = CheckReplacement(Value(units_[children]));
      if (!status.ok()) return status;
    }
    num_rules_[unit_index] = kOnPath;
    path_.push_back({unit_index, children});
    return absl::OkStatus();
  }

  absl::Status CheckReplacement(uint32_t begin) const {
    if (begin >= replacements_.size()) {
      return absl::InvalidArgumentError(
          absl::StrFormat("a replacement begins at byte %d; there are %d bytes",
                          begin, replacements_.size()));
    }
    const absl::string_view tail = replacements_.substr(begin);
    const absl::string_view text = tail.substr(0, tail.find('\0'));
    if (text.size() > kMaxReplacementBytes) {
      return absl::InvalidArgumentError(
          absl::StrFormat("a replacement has %d bytes; at most %d are allowed",
                          text.size(), kMaxReplacementBytes));
    }
    if (!IsValidUtf8(text)) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "the replacement at byte %d is not valid UTF-8", begin));
    }
    return absl::OkStatus();
  }

  absl::Status Step() {
    Place& place = path_.back();
    if (place.next_byte == 256) return Leave();
    const uint32_t byte = static_cast<uint32_t>(place.next_byte++);
    const uint32_t child = place.children ^ byte;
    if (Label(units_[child]) != byte) return absl::OkStatus();
    if (num_rules_[child] == kUnseen) return Enter(child);
    if (num_rules_[child] == kOnPath) {
      return absl::InvalidArgumentError(
          absl::StrFormat("unit %d leads back to itself", child));
    }
    place.rules_below = std::max(place.rules_below, num_rules_[child]);
    return absl::OkStatus();
  }

  absl::Status Leave() {
    const Place place = path_.back();
    path_.pop_back();
    const int32_t num_rules =
        place.rules_below + (HasLeaf(units_[place.unit_index]) ? 1 : 0);
    num_rules_[place.unit_index] = num_rules;
    if (num_rules > kMaxNestedRules) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%d rules match at one place; at most %d are allowed",
                          num_rules, kMaxNestedRules));
    }
    if (!path_.empty()) {
      path_.back().rules_below = std::max(path_.back().rules_below, num_rules);
    }
    return absl::OkStatus();
  }

  const absl::string_view replacements_;
  std::vector<uint32_t> units_;
  std::vector<int32_t> num_rules_;  // [units]: kUnseen, kOnPath or the count
  std::vector<Place> path_;
};

constexpr absl::string_view kReplacementCharacter = "\xEF\xBF\xBD";

// A table that CheckCharsMap() has accepted.
class Rules {
 public:
  explicit Rules(absl::string_view charsmap) {
    if (charsmap.empty()) return;
    const uint32_t units_size = ReadU32(charsmap.data());
    units_ = charsmap.substr(4, units_size);
    replacements_ = charsmap.substr(4 + units_size);
  }

  // The size of the longest beginning of `text` that has a rule, and the
  // replacement of the rule. 0 if no beginning has a rule.
  size_t Match(absl::string_view text, absl::string_view& replacement) const {
    if (units_.empty()) return 0;
    size_t size = 0;
    uint32_t begin = 0;
    uint32_t children = Offset(UnitAt(0));
    for (size_t i = 0; i < text.size(); ++i) {
      const uint32_t byte = static_cast<uint8_t>(text[i]);
      const uint32_t place = children ^ byte;
      const uint32_t unit = UnitAt(place);
      if (Label(unit) != byte) break;
      children = place ^ Offset(unit);
      if (!HasLeaf(unit)) continue;
      size = i + 1;
      begin = Value(UnitAt(children));
    }
    const absl::string_view tail = replacements_.substr(begin);
    replacement = tail.substr(0, tail.find('\0'));
    return size;
  }

 private:
  uint32_t UnitAt(uint32_t index) const {
    return ReadU32(units_.data() + size_t{index} * 4);
  }

  absl::string_view units_;
  absl::string_view replacements_;
};

}  // namespace

std::string ApplyCharsMap(absl::string_view charsmap, absl::string_view text) {
  const Rules rules(charsmap);
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    absl::string_view replacement;
    size_t size = rules.Match(text, replacement);
    if (size == 0) {
      size = CharacterSize(static_cast<uint8_t>(text[0]));
      replacement = text.substr(0, size);
      if (!IsValidUtf8(replacement)) {
        size = 1;
        replacement = kReplacementCharacter;
      }
    }
    out.append(replacement.data(), replacement.size());
    text.remove_prefix(size);
  }
  return out;
}

absl::Status CheckCharsMap(absl::string_view charsmap) {
  if (charsmap.empty()) return absl::OkStatus();
  if (charsmap.size() > kMaxCharsMapBytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("has %d bytes; at most %d are allowed", charsmap.size(),
                        kMaxCharsMapBytes));
  }
  if (charsmap.size() < 4) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "has %d bytes; at least 4 are needed", charsmap.size()));
  }
  const uint32_t units_size = ReadU32(charsmap.data());
  charsmap.remove_prefix(4);
  if (units_size == 0 || units_size % 4 != 0 || units_size >= charsmap.size()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("its array has %d bytes; a multiple of 4 in 4..%d is "
                        "allowed",
                        units_size, charsmap.size() - 1));
  }
  return Walk(charsmap.substr(0, units_size), charsmap.substr(units_size))
      .Run();
}

}  // namespace sheaf
