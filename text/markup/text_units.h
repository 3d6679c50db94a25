// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/alignment.h"
#include "text/marks.h"

namespace sheaf {

// A piece of a text between which tags can stand: a word, a part of one at
// which tags stand in the source, a punctuation mark, or a single character of
// a script without spaces.
struct TextUnit {
  TextRange range;
  bool is_word = false;  // has a letter or digit
  int32_t word = 0;      // the parts of a word have the same number
  // The unit of the other text that this one comes from; -1: not known.
  int32_t source = -1;
};

// The units of a text, in order. White space belongs to none. Words are divided
// at `cuts`, which are sorted.
std::vector<TextUnit> FindUnits(absl::string_view text,
                                absl::Span<const size_t> cuts);

struct AlignedUnits {
  std::vector<TextUnit> source;
  std::vector<TextUnit> target;
};

// A source and its translation.
struct TextPair {
  absl::string_view source;
  absl::string_view target;
  const TextAlignment* alignment = nullptr;  // null or empty: not known
};

// The units of both texts, and where those of the target come from. Words of
// the source are divided at `cuts`, and so are the same words of the target.
// Ranges `kept` of the source are found in the target if it has them as they
// are.
AlignedUnits AlignUnits(const TextPair& texts, absl::Span<const size_t> cuts,
                        absl::Span<const TextRange> kept);

}  // namespace sheaf
