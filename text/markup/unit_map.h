// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "text/marks.h"
#include "text/markup/text_units.h"

namespace sheaf {

// Answers where things of the source went in the target.
class UnitMap {
 public:
  explicit UnitMap(AlignedUnits units);

  const std::vector<TextUnit>& target() const { return units_.target; }

  // The units of a range of the source, by index.
  TextRange SourceUnits(TextRange range) const;
  const TextUnit& source_unit(size_t index) const {
    return units_.source[index];
  }
  size_t num_source() const { return units_.source.size(); }
  bool HasWord(TextRange source_units) const;

  // The part of the source from which a unit of the target comes. REQUIRES: its
  // `source` is known.
  TextRange Origin(const TextUnit& unit) const {
    return units_.source[static_cast<size_t>(unit.source)].range;
  }

  // The unit of the target before which something belongs that stands in the
  // source before (after) a unit.
  size_t Before(size_t source_unit) const;
  size_t After(size_t source_unit) const;

 private:
  // The units of the target that come from a unit, or from the nearest one
  // before (after) it from which any comes.
  struct Images {
    size_t from_before = 0;  // the end of the last
    size_t from_after = 0;   // the beginning of the first
  };

  AlignedUnits units_;
  std::vector<Images> images_;     // by source unit
  std::vector<size_t> num_words_;  // of the source units before an index
};

}  // namespace sheaf
