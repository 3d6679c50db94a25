// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "text/marks.h"
#include "text/markup/tag_tree.h"
#include "text/markup/unit_map.h"

namespace sheaf {

// Gives each node of a tree of tags its place in the target. It goes from the
// root to the leaves: among the words of a node, the children get theirs.
class TagPlacer {
 public:
  // All must outlive the placer.
  TagPlacer(absl::string_view source, absl::string_view target,
            const UnitMap& units, const TagTree& tree);

  // The content of each node in the target, in bytes. Children lie in their
  // parents; siblings are disjoint.
  const std::vector<TextRange>& places() const { return places_; }
  // The children of a node in the order of the target.
  const std::vector<int32_t>& children(int32_t node) const {
    return order_[static_cast<size_t>(node)];
  }

  // The byte of the target where a point of the source belongs.
  // `is_before`: rather before what follows than after what precedes.
  static size_t Find(absl::string_view target, const UnitMap& units,
                     size_t offset, bool is_before);

 private:
  // The children of one node while they are placed.
  struct Level;

  const TagNode& node(int32_t index) const {
    return tree_.nodes[static_cast<size_t>(index)];
  }

  void PlaceChildren(int32_t parent);
  void Label(Level& level) const;
  void PlaceCut(Level& level, bool is_front);
  void PlaceChunks(Level& level);
  void PlaceUnknown(Level& level);
  void GrowOverMarks(Level& level, size_t child) const;
  void PlacePoint(Level& level, size_t child) const;
  void TakeBytes(Level& level, size_t child);
  void Finish(Level& level);

  const absl::string_view source_;
  const absl::string_view target_;
  const UnitMap& units_;
  const TagTree& tree_;
  std::vector<TextRange> places_;            // by node, in bytes
  std::vector<TextRange> unit_places_;       // by node, in units of the target
  std::vector<std::vector<int32_t>> order_;  // by node
};

}  // namespace sheaf
