// SPDX-License-Identifier: Apache-2.0

#include <algorithm>

#include "base/check.h"
#include "text/markup/place_tags.h"

namespace sheaf {
namespace {

using Kind = InlineTag::Kind;

// Divides the tags of one passage from its beginning to its end.
class Divider {
 public:
  explicit Divider(const Passage& passage) : passage_(passage) {
    FindPartners();
  }

  DividedTags Divide(absl::Span<const TextRange> segments) {
    DividedTags result;
    result.segments.reserve(segments.size());
    result.gaps.reserve(segments.size() + 1);
    size_t gap_begin = 0;
    for (const TextRange& segment : segments) {
      const size_t begin = next_;
      const TextRange tags = TagsOf(segment);
      result.gaps.push_back(Take({begin, tags.begin}, gap_begin));
      result.segments.push_back({Take(tags, segment.begin), KeptOf(segment)});
      gap_begin = segment.end;
      next_ = tags.end;
    }
    result.gaps.push_back(Take({next_, passage_.tags.size()}, gap_begin));
    return result;
  }

 private:
  // The index of the other tag of each tag's element, or its own.
  void FindPartners() {
    const std::vector<InlineTag>& tags = passage_.tags;
    std::vector<size_t> first(tags.size(), tags.size());  // by element
    partners_.resize(tags.size());
    for (size_t i = 0; i < tags.size(); ++i) {
      const auto element = static_cast<size_t>(tags[i].element);
      SHEAF_CHECK(element < tags.size());
      partners_[i] = i;
      if (first[element] == tags.size()) {
        first[element] = i;
      } else {
        partners_[i] = first[element];
        partners_[first[element]] = i;
      }
    }
  }

  // The tags within the segment, by index. At its beginning these are the ones
  // from the first element that ends in it and is not empty, at its end those
  // up to the last element that began in it.
  TextRange TagsOf(TextRange segment) {
    const std::vector<InlineTag>& tags = passage_.tags;
    size_t begin = next_;
    while (begin < tags.size() && tags[begin].offset < segment.begin) ++begin;
    const auto reaches_in = [&](size_t i) {
      return partners_[i] > i && tags[partners_[i]].offset > segment.begin &&
             tags[partners_[i]].offset <= segment.end;
    };
    while (begin < tags.size() && tags[begin].offset == segment.begin &&
           !reaches_in(begin)) {
      ++begin;
    }
    size_t end = begin;
    while (end < tags.size() && tags[end].offset < segment.end) ++end;
    for (size_t i = end; i < tags.size() && tags[i].offset == segment.end;
         ++i) {
      const size_t partner = partners_[i];
      if (partner < i && partner >= begin &&
          tags[partner].offset < segment.end) {
        end = i + 1;
      }
    }
    return {begin, end};
  }

  std::vector<InlineTag> Take(TextRange indexes, size_t offset) const {
    std::vector<InlineTag> tags(passage_.tags.begin() + indexes.begin,
                                passage_.tags.begin() + indexes.end);
    for (InlineTag& tag : tags) {
      tag.offset -= std::min(tag.offset, offset);
    }
    return tags;
  }

  std::vector<TextRange> KeptOf(TextRange segment) {
    std::vector<TextRange> kept;
    const std::vector<TextRange>& all = passage_.kept;
    while (next_kept_ < all.size() && all[next_kept_].end <= segment.begin) {
      ++next_kept_;
    }
    for (size_t i = next_kept_; i < all.size() && all[i].begin < segment.end;
         ++i) {
      kept.push_back({std::max(all[i].begin, segment.begin) - segment.begin,
                      std::min(all[i].end, segment.end) - segment.begin});
    }
    return kept;
  }

  const Passage& passage_;
  std::vector<size_t> partners_;
  size_t next_ = 0;  // the first tag that is not taken
  size_t next_kept_ = 0;
};

}  // namespace

DividedTags DivideTags(const Passage& passage,
                       absl::Span<const TextRange> segments) {
  return Divider(passage).Divide(segments);
}

std::string WriteCopied(absl::string_view text,
                        absl::Span<const InlineTag> tags, TextFormat format) {
  std::string result;
  size_t at = 0;
  for (const InlineTag& tag : tags) {
    result += EscapeText(Slice(text, {at, tag.offset}), format);
    result.append(tag.markup.data(), tag.markup.size());
    at = tag.offset;
  }
  result += EscapeText(text.substr(at), format);
  return result;
}

}  // namespace sheaf
