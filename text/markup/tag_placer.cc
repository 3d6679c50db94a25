// SPDX-License-Identifier: Apache-2.0

#include "text/markup/tag_placer.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "text/markup/chunk_choice.h"

namespace sheaf {
namespace {

constexpr int32_t kNobody = -1;

}  // namespace

// Units of the target are indexes from the beginning of the target, but those
// of `labels` and `owners` from `first`.
struct TagPlacer::Level {
  int32_t parent = 0;
  TextRange range;  // the units of the parent
  TextRange free;   // those between the children that reach out of the segment
  TextRange bytes;  // of the parent
  TextRange inner;  // those between the children that reach out
  std::vector<int32_t> labels;      // the child from which a unit comes
  std::vector<int32_t> owners;      // the child that has the unit, or kNobody
  std::vector<TextRange> contents;  // of the children, in units of the source
  std::vector<TextRange> chunks;    // of the children, in units of the target
  std::vector<TextRange> places;    // of the children, in bytes
  std::vector<bool> is_placed;      // of the children

  int32_t& owner(size_t unit) { return owners[unit - range.begin]; }
  bool IsFree(size_t unit) const {
    return unit >= free.begin && unit < free.end &&
           owners[unit - range.begin] == kNobody;
  }
};

TagPlacer::TagPlacer(absl::string_view source, absl::string_view target,
                     const UnitMap& units, const TagTree& tree)
    : source_(source),
      target_(target),
      units_(units),
      tree_(tree),
      places_(tree.nodes.size()),
      unit_places_(tree.nodes.size()),
      order_(tree.nodes.size()) {
  places_[0] = {0, target.size()};
  unit_places_[0] = {0, units.target().size()};
  std::vector<int32_t> to_do = {0};
  while (!to_do.empty()) {
    const int32_t parent = to_do.back();
    to_do.pop_back();
    if (node(parent).children.empty()) continue;
    PlaceChildren(parent);
    for (const int32_t child : node(parent).children) to_do.push_back(child);
  }
}

void TagPlacer::PlaceChildren(int32_t parent) {
  const std::vector<int32_t>& children = node(parent).children;
  const auto index = static_cast<size_t>(parent);
  Level level;
  level.parent = parent;
  level.range = level.free = unit_places_[index];
  level.bytes = level.inner = places_[index];
  level.owners.assign(level.range.size(), kNobody);
  level.chunks.resize(children.size());
  level.places.resize(children.size());
  level.is_placed.resize(children.size());
  level.contents.reserve(children.size());
  for (const int32_t child : children) {
    const TextRange content = node(child).source;
    level.contents.push_back(content.size() > 0 ? units_.SourceUnits(content)
                                                : TextRange());
  }
  Label(level);
  PlaceCut(level, /*is_front=*/true);
  PlaceCut(level, /*is_front=*/false);
  PlaceChunks(level);
  PlaceUnknown(level);
  for (size_t child = 0; child < children.size(); ++child) {
    if (!level.is_placed[child]) PlacePoint(level, child);
  }
  Finish(level);
}

// Finds the child from whose content each unit comes. Marks count only for
// children that have nothing else.
void TagPlacer::Label(Level& level) const {
  const std::vector<int32_t>& children = node(level.parent).children;
  level.labels.assign(level.range.size(), kUnknownWord);
  for (size_t i = level.range.begin; i < level.range.end; ++i) {
    const TextUnit& unit = units_.target()[i];
    if (unit.source < 0) continue;
    const TextRange origin = units_.Origin(unit);
    const auto child = std::upper_bound(
        children.begin(), children.end(), origin.begin,
        [&](size_t at, int32_t c) { return at < node(c).source.end; });
    int32_t label = unit.is_word ? kForeignWord : kUnknownWord;
    if (child != children.end() && node(*child).source.begin < origin.end) {
      const auto index = static_cast<size_t>(child - children.begin());
      if (unit.is_word || !units_.HasWord(level.contents[index])) {
        label = static_cast<int32_t>(index);
      }
    }
    level.labels[i - level.range.begin] = label;
  }
}

// Places the first (last) child, if it begins before (ends after) the segment.
void TagPlacer::PlaceCut(Level& level, bool is_front) {
  const std::vector<int32_t>& children = node(level.parent).children;
  const size_t child = is_front ? 0 : children.size() - 1;
  const TagNode& element = node(children[child]);
  if (is_front ? !element.begins_before : !element.ends_after) return;
  const absl::Span<const int32_t> labels(level.labels);
  const size_t cut =
      level.free.begin +
      ChooseCut(labels.subspan(level.free.begin - level.range.begin),
                static_cast<int32_t>(child), is_front);
  TextRange& chunk = level.chunks[child];
  if (is_front) {
    chunk = {level.free.begin, cut};
    if (chunk.size() > 0) GrowOverMarks(level, child);
    level.free.begin = chunk.end;
  } else {
    chunk = {cut, level.free.end};
    if (chunk.size() > 0) GrowOverMarks(level, child);
    level.free.end = chunk.begin;
  }
  for (size_t i = chunk.begin; i < chunk.end; ++i) {
    level.owner(i) = static_cast<int32_t>(child);
  }
  TakeBytes(level, child);
  TextRange& place = level.places[child];
  if (is_front) {
    place.begin = level.bytes.begin;
    if (chunk.size() == 0) place.end = place.begin;
    level.inner.begin = place.end;
  } else {
    place.end = level.bytes.end;
    if (chunk.size() == 0) place.begin = place.end;
    level.inner.end = place.begin;
  }
}

// Places the other children whose words are in the target.
void TagPlacer::PlaceChunks(Level& level) {
  const std::vector<int32_t>& children = node(level.parent).children;
  const TextRange whole = units_.SourceUnits(node(level.parent).source);
  const absl::Span<const int32_t> labels(level.labels);
  const std::vector<TextRange> chunks = ChooseChunks(
      labels.subspan(level.free.begin - level.range.begin, level.free.size()),
      children.size());
  for (size_t child = 0; child < children.size(); ++child) {
    if (level.is_placed[child]) continue;
    const TextRange content = level.contents[child];
    if (content.size() > 0 && content.size() == whole.size() &&
        level.range.size() > 0) {
      // Everything is in the element, so that marks and spaces are, too.
      level.chunks[child] = level.range;
      level.places[child] = level.bytes;
      level.is_placed[child] = true;
    } else if (chunks[child].size() > 0) {
      level.chunks[child] = {chunks[child].begin + level.free.begin,
                             chunks[child].end + level.free.begin};
    }
    for (size_t i = level.chunks[child].begin; i < level.chunks[child].end;
         ++i) {
      level.owner(i) = static_cast<int32_t>(child);
    }
  }
  for (size_t child = 0; child < children.size(); ++child) {
    if (level.is_placed[child] || level.chunks[child].size() == 0) continue;
    GrowOverMarks(level, child);
    TakeBytes(level, child);
  }
}

// An element none of whose words is known gets words from nowhere, if there are
// any where it should stand.
void TagPlacer::PlaceUnknown(Level& level) {
  const std::vector<int32_t>& children = node(level.parent).children;
  for (size_t child = 0; child < children.size(); ++child) {
    const TextRange content = level.contents[child];
    if (level.is_placed[child] || !units_.HasWord(content)) continue;
    const auto is_unknown = [&](size_t unit) {
      return level.IsFree(unit) && units_.target()[unit].is_word &&
             units_.target()[unit].source < 0;
    };
    const size_t begin = units_.After(content.begin);
    size_t end = begin;
    while (end - begin < content.size() && is_unknown(end)) ++end;
    if (end == begin) continue;
    level.chunks[child] = {begin, end};
    for (size_t i = begin; i < end; ++i) {
      level.owner(i) = static_cast<int32_t>(child);
    }
    GrowOverMarks(level, child);
    TakeBytes(level, child);
  }
}

// Adds marks that touch the chunk, as many as the content has at its ends.
void TagPlacer::GrowOverMarks(Level& level, size_t child) const {
  const TextRange content = level.contents[child];
  TextRange& chunk = level.chunks[child];
  const std::vector<TextUnit>& units = units_.target();
  // `touches`: no space stands between the mark and the chunk.
  const auto may_take = [&](size_t unit, bool touches) {
    if (!level.IsFree(unit) || units[unit].is_word) return false;
    const int32_t source = units[unit].source;
    if (source < 0) return touches;
    return static_cast<size_t>(source) >= content.begin &&
           static_cast<size_t>(source) < content.end;
  };
  const auto take = [&](size_t unit) {
    level.owner(unit) = static_cast<int32_t>(child);
  };
  for (size_t i = content.end;
       i > content.begin && !units_.source_unit(i - 1).is_word &&
       chunk.end < units.size() &&
       may_take(chunk.end,
                units[chunk.end - 1].range.end == units[chunk.end].range.begin);
       --i) {
    take(chunk.end++);
  }
  for (size_t i = content.begin;
       i < content.end && !units_.source_unit(i).is_word && chunk.begin > 0 &&
       may_take(chunk.begin - 1, units[chunk.begin - 1].range.end ==
                                     units[chunk.begin].range.begin);
       ++i) {
    take(--chunk.begin);
  }
}

// The bytes of a chunk. If the content begins or ends with spaces that are also
// in the target, they are added.
void TagPlacer::TakeBytes(Level& level, size_t child) {
  level.is_placed[child] = true;
  const TextRange chunk = level.chunks[child];
  if (chunk.size() == 0) return;
  const TextRange content = node(node(level.parent).children[child]).source;
  const std::vector<TextUnit>& units = units_.target();
  TextRange bytes = {units[chunk.begin].range.begin,
                     units[chunk.end - 1].range.end};
  const TextRange words = level.contents[child];
  const absl::string_view before = Slice(
      source_, {content.begin, units_.source_unit(words.begin).range.begin});
  const absl::string_view after = Slice(
      source_, {units_.source_unit(words.end - 1).range.end, content.end});
  if (absl::EndsWith(target_.substr(0, bytes.begin), before)) {
    bytes.begin -= before.size();
  }
  if (absl::StartsWith(target_.substr(bytes.end), after)) {
    bytes.end += after.size();
  }
  bytes.begin = std::max(bytes.begin, level.bytes.begin);
  bytes.end = std::min(bytes.end, level.bytes.end);
  level.places[child] = bytes;
}

// Places a child none of whose units is in the target.
void TagPlacer::PlacePoint(Level& level, size_t child) const {
  const TagNode& parent = node(level.parent);
  const TextRange content = node(parent.children[child]).source;
  const TextRange around = units_.SourceUnits(parent.source);
  const size_t next = units_.SourceUnits({content.begin, source_.size()}).begin;
  const bool is_first = next <= around.begin;
  const bool is_last = next >= around.end;
  // The spaces between the point and the end of the parent stay there, if they
  // are also in the target.
  const absl::string_view inside = Slice(target_, level.bytes);
  size_t byte = 0;
  if (is_first || level.range.size() == 0) {
    const absl::string_view spaces =
        Slice(source_, {parent.source.begin, content.begin});
    byte = level.bytes.begin;
    if (absl::StartsWith(inside, spaces)) byte += spaces.size();
  } else if (is_last) {
    const absl::string_view spaces =
        Slice(source_, {content.begin, parent.source.end});
    byte = level.bytes.end;
    if (absl::EndsWith(inside, spaces)) byte -= spaces.size();
  } else {
    byte = Find({source_, target_}, units_, content.begin,
                /*is_before=*/false);
  }
  byte = std::max(std::min(byte, level.inner.end), level.inner.begin);
  level.places[child] = {byte, byte};
  // An element of nothing but spaces has them if they are there.
  const absl::string_view rest = Slice(target_, {byte, level.inner.end});
  if (level.contents[child].size() == 0 &&
      absl::StartsWith(rest, Slice(source_, content))) {
    level.places[child].end += content.size();
  }
}

// Orders the children, and moves points out of siblings.
void TagPlacer::Finish(Level& level) {
  const std::vector<int32_t>& children = node(level.parent).children;
  std::vector<size_t> order(children.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return level.places[a].begin < level.places[b].begin;
  });
  const auto is_at_front = [&](size_t child) {
    return node(children[child]).begins_before;
  };
  const auto is_at_back = [&](size_t child) {
    return node(children[child]).ends_after;
  };
  std::stable_partition(order.begin(), order.end(), is_at_front);
  std::stable_partition(order.begin(), order.end(),
                        [&](size_t child) { return !is_at_back(child); });
  std::vector<int32_t>& result = order_[static_cast<size_t>(level.parent)];
  result.reserve(order.size());
  size_t at = level.bytes.begin;
  for (const size_t child : order) {
    TextRange& place = level.places[child];
    place.begin = std::max(place.begin, at);
    place.end = std::max(place.end, place.begin);
    at = place.end;
    const auto index = static_cast<size_t>(children[child]);
    places_[index] = place;
    unit_places_[index] = level.chunks[child];
    result.push_back(children[child]);
  }
}

size_t TagPlacer::Find(const TextPair& texts, const UnitMap& units,
                       size_t offset, bool is_before) {
  const absl::string_view target = texts.target;
  const std::vector<TextUnit>& all = units.target();
  const size_t next = units.SourceUnits({0, offset}).size();
  if (next == 0) return 0;
  if (next == units.num_source()) return target.size();
  const auto begin_of = [&](size_t unit) {
    return unit == all.size() ? target.size() : all[unit].range.begin;
  };
  const bool touches_left = units.source_unit(next - 1).range.end == offset;
  const size_t next_begin = units.source_unit(next).range.begin;
  if (next_begin == offset && (is_before || !touches_left)) {
    return begin_of(units.Before(next));
  }
  const size_t unit = units.After(next - 1);
  if (touches_left) return unit == 0 ? 0 : all[unit - 1].range.end;
  // Between spaces: the same of them follow, if they do in the target.
  const absl::string_view spaces = Slice(texts.source, {offset, next_begin});
  const size_t end = begin_of(unit);
  return absl::EndsWith(target.substr(0, end), spaces) ? end - spaces.size()
                                                       : end;
}

}  // namespace sheaf
