// SPDX-License-Identifier: Apache-2.0

#include "text/markup/tag_tree.h"

#include <utility>

#include "absl/container/flat_hash_set.h"

namespace sheaf {
namespace {

using Kind = InlineTag::Kind;

// Takes the tags of a segment in their order.
class TreeMaker {
 public:
  TreeMaker(size_t size, TagTree& tree) : tree_(tree) {
    tree_.nodes.assign(1, TagNode());
    tree_.nodes[0].source = {0, size};
    stack_.push_back({0, -1});
  }

  // Returns false if the tag belongs to an element that overlaps another one.
  bool Take(const InlineTag& tag, int32_t index) {
    switch (tag.kind) {
      case Kind::kEmpty:
        Add(tag, index);
        return true;
      case Kind::kOpen:
        stack_.push_back({Add(tag, index), tag.element});
        open_.insert(tag.element);
        return true;
      case Kind::kClose:
        return open_.contains(tag.element) ? Close(tag, index)
                                           : CloseFromBefore(tag, index);
    }
    return false;
  }

  // The elements that are still open end after the segment.
  void Finish() {
    const size_t size = node(0).source.end;
    for (size_t i = 1; i < stack_.size(); ++i) {
      node(stack_[i].node).source.end = size;
      node(stack_[i].node).ends_after = true;
    }
  }

 private:
  struct Open {
    int32_t node;
    int32_t element;
  };

  TagNode& node(int32_t index) {
    return tree_.nodes[static_cast<size_t>(index)];
  }

  int32_t Add(const InlineTag& tag, int32_t index) {
    const auto added = static_cast<int32_t>(tree_.nodes.size());
    tree_.nodes.emplace_back();
    tree_.nodes.back().open = index;
    tree_.nodes.back().source = {tag.offset, tag.offset};
    node(stack_.back().node).children.push_back(added);
    return added;
  }

  bool Close(const InlineTag& tag, int32_t index) {
    if (stack_.back().element != tag.element) return false;
    node(stack_.back().node).close = index;
    node(stack_.back().node).source.end = tag.offset;
    stack_.pop_back();
    open_.erase(tag.element);
    return true;
  }

  // An element that began before the segment contains everything so far.
  bool CloseFromBefore(const InlineTag& tag, int32_t index) {
    if (stack_.size() > 1) return false;
    TagNode element;
    element.close = index;
    element.source = {0, tag.offset};
    element.begins_before = true;
    element.children = std::move(node(0).children);
    const auto added = static_cast<int32_t>(tree_.nodes.size());
    tree_.nodes.push_back(std::move(element));
    node(0).children.assign(1, added);
    return true;
  }

  TagTree& tree_;
  std::vector<Open> stack_;
  absl::flat_hash_set<int32_t> open_;  // elements
};

}  // namespace

bool MakeTagTree(absl::Span<const InlineTag> tags, size_t size, TagTree& tree) {
  TreeMaker maker(size, tree);
  for (size_t i = 0; i < tags.size(); ++i) {
    if (!maker.Take(tags[i], static_cast<int32_t>(i))) return false;
  }
  maker.Finish();
  return true;
}

}  // namespace sheaf
