// SPDX-License-Identifier: Apache-2.0

#include "text/markup/unit_map.h"

#include <algorithm>
#include <utility>

namespace sheaf {
namespace {

// The range of the target's units that come from each word of the source, by
// the number of the word.
std::vector<TextRange> FindImages(const AlignedUnits& units) {
  const size_t num_words =
      units.source.empty() ? 0
                           : static_cast<size_t>(units.source.back().word) + 1;
  std::vector<TextRange> images(num_words);
  for (size_t i = 0; i < units.target.size(); ++i) {
    if (units.target[i].source < 0) continue;
    const auto source = static_cast<size_t>(units.target[i].source);
    TextRange& image = images[static_cast<size_t>(units.source[source].word)];
    if (image.size() == 0) image.begin = i;
    image.end = i + 1;
  }
  return images;
}

}  // namespace

UnitMap::UnitMap(AlignedUnits units) : units_(std::move(units)) {
  const size_t size = units_.source.size();
  num_words_.resize(size + 1);
  images_.resize(size);
  // Parts of a word have its image, unless they have one of their own.
  const std::vector<TextRange> words = FindImages(units_);
  std::vector<TextRange> parts(size);
  for (size_t i = 0; i < units_.target.size(); ++i) {
    if (units_.target[i].source < 0) continue;
    TextRange& part = parts[static_cast<size_t>(units_.target[i].source)];
    if (part.size() == 0) part.begin = i;
    part.end = i + 1;
  }
  size_t before = 0;
  for (size_t i = 0; i < size; ++i) {
    if (parts[i].size() == 0) {
      parts[i] = words[static_cast<size_t>(units_.source[i].word)];
    }
    if (parts[i].size() > 0) before = parts[i].end;
    images_[i].from_before = before;
    num_words_[i + 1] = num_words_[i] + (units_.source[i].is_word ? 1 : 0);
  }
  size_t after = units_.target.size();
  for (size_t i = size; i-- > 0;) {
    if (parts[i].size() > 0) after = parts[i].begin;
    images_[i].from_after = after;
  }
}

TextRange UnitMap::SourceUnits(TextRange range) const {
  const auto first = std::upper_bound(
      units_.source.begin(), units_.source.end(), range.begin,
      [](size_t at, const TextUnit& unit) { return at < unit.range.end; });
  const auto last = std::lower_bound(
      first, units_.source.end(), range.end,
      [](const TextUnit& unit, size_t at) { return unit.range.begin < at; });
  return {static_cast<size_t>(first - units_.source.begin()),
          static_cast<size_t>(last - units_.source.begin())};
}

bool UnitMap::HasWord(TextRange source_units) const {
  return num_words_[source_units.end] > num_words_[source_units.begin];
}

size_t UnitMap::Before(size_t source_unit) const {
  return images_[source_unit].from_after;
}

size_t UnitMap::After(size_t source_unit) const {
  return images_[source_unit].from_before;
}

}  // namespace sheaf
