// SPDX-License-Identifier: Apache-2.0

#include "text/markup/place_tags.h"

#include <algorithm>
#include <utility>

#include "text/markup/tag_placer.h"
#include "text/markup/tag_tree.h"
#include "text/markup/text_units.h"
#include "text/markup/unit_map.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// Writes the target from its beginning to its end.
class Writer {
 public:
  explicit Writer(const TagPlacement& placement)
      : target_(placement.target),
        tags_(placement.tags),
        format_(placement.format),
        places_(placement.places) {
    if (places_ != nullptr) places_->assign(target_.size(), {});
  }

  void WriteTextTo(size_t end) {
    if (places_ == nullptr && at_ < end) {
      result_ += EscapeText(Slice(target_, {at_, end}), format_);
      at_ = end;
    }
    while (at_ < end) {
      const size_t begin = at_, written = result_.size();
      NextCharacter(target_, at_);
      result_ += EscapeText(Slice(target_, {begin, at_}), format_);
      std::fill(places_->begin() + begin, places_->begin() + at_,
                TextRange{written, result_.size()});
    }
  }
  // Nothing if there is no such tag.
  void WriteTag(int32_t index) {
    if (index < 0) return;
    const absl::string_view markup = tags_[static_cast<size_t>(index)].markup;
    result_.append(markup.data(), markup.size());
  }
  std::string Finish() {
    WriteTextTo(target_.size());
    return std::move(result_);
  }

 private:
  const absl::string_view target_;
  const absl::Span<const InlineTag> tags_;
  const TextFormat format_;
  std::vector<TextRange>* const places_;  // null: not asked for
  std::string result_;
  size_t at_ = 0;  // the text before it is written
};

// All tags keep their order. Each stands as near as that allows to its place.
std::string WriteInOrder(const TagPlacement& placement, const UnitMap& units) {
  Writer writer(placement);
  for (size_t i = 0; i < placement.tags.size(); ++i) {
    const InlineTag& tag = placement.tags[i];
    writer.WriteTextTo(TagPlacer::Find(placement.target, units, tag.offset,
                                       tag.kind == InlineTag::Kind::kOpen));
    writer.WriteTag(static_cast<int32_t>(i));
  }
  return writer.Finish();
}

std::string WriteTree(const TagPlacement& placement, const TagTree& tree,
                      const TagPlacer& placer) {
  Writer writer(placement);
  struct Step {
    int32_t node;
    size_t next_child = 0;
  };
  std::vector<Step> steps = {{0}};
  while (!steps.empty()) {
    Step& step = steps.back();
    const std::vector<int32_t>& children = placer.children(step.node);
    if (step.next_child < children.size()) {
      const int32_t child = children[step.next_child++];
      const auto index = static_cast<size_t>(child);
      writer.WriteTextTo(placer.places()[index].begin);
      writer.WriteTag(tree.nodes[index].open);
      steps.push_back({child});
    } else {
      const auto index = static_cast<size_t>(step.node);
      writer.WriteTextTo(placer.places()[index].end);
      writer.WriteTag(tree.nodes[index].close);
      steps.pop_back();
    }
  }
  return writer.Finish();
}

}  // namespace

std::string PlaceTags(const TagPlacement& placement) {
  if (placement.tags.empty()) return Writer(placement).Finish();
  std::vector<size_t> cuts;
  cuts.reserve(placement.tags.size());
  for (const InlineTag& tag : placement.tags) cuts.push_back(tag.offset);
  const TextPair texts = {placement.source, placement.target,
                          placement.alignment};
  const UnitMap units(AlignUnits(texts, cuts, placement.kept));
  TagTree tree;
  if (!MakeTagTree(placement.tags, placement.source.size(), tree)) {
    return WriteInOrder(placement, units);
  }
  const TagPlacer placer(placement.source, placement.target, units, tree);
  return WriteTree(placement, tree, placer);
}

}  // namespace sheaf
