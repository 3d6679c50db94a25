// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "tests/text/markup/markup_translation.h"
#include "text/markup/markup.h"

namespace sheaf {

// Makes texts with markup, and translations of them, of pure chance.
class RandomMarkup {
 public:
  explicit RandomMarkup(uint32_t seed) : random_(seed) {}

  // Well nested. Each tag is another one by its attribute.
  std::string WellNested(TextFormat format);
  // Tags in any order, and pieces of markup, HTML only.
  std::string Broken();
  // Words are dropped, doubled and change their places. Some are aligned, a few
  // of them wrongly.
  TestTranslation Translate(absl::string_view segment);

 private:
  int Number(int end) {  // in [0, end)
    return std::uniform_int_distribution<int>(0, end - 1)(random_);
  }
  bool Chance(int percent) { return Number(100) < percent; }
  template <size_t n>
  std::string Pick(const char* const (&list)[n]) {
    return list[Number(static_cast<int>(n))];
  }
  std::string Attribute();
  std::string Text(TextFormat format);

  std::mt19937 random_;
  int num_tags_ = 0;
};

}  // namespace sheaf
