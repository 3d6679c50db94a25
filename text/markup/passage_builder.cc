// SPDX-License-Identifier: Apache-2.0

#include "text/markup/passage_builder.h"

#include <algorithm>
#include <utility>

#include "text/utf8.h"

namespace sheaf {
namespace {

// The white space of HTML, which includes that of XML.
constexpr absl::string_view kSpaces = " \t\n\r\f";

bool IsSpace(char c) { return kSpaces.find(c) != absl::string_view::npos; }

bool HasVisible(absl::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (!IsWhitespace(NextCharacter(text, at))) return true;
  }
  return false;
}

}  // namespace

void PassageBuilder::AddText(TextRange source, TextMode mode) {
  const size_t begin = text_.size();
  size_t at = source.begin;
  while (at < source.end) {
    size_t end = at;
    while (end < source.end && !IsSpace(source_[end])) ++end;
    if (end > at) Append({at, end}, source_.substr(at, end - at));
    at = end;
    while (end < source.end && IsSpace(source_[end])) ++end;
    if (end == at) continue;
    if (mode.preserves_space && !text_.empty()) {
      Append({at, end}, source_.substr(at, end - at));
    } else {
      AppendSpace({at, end});
    }
    at = end;
  }
  Keep(begin, mode);
}

void PassageBuilder::AddReference(TextRange source, absl::string_view text,
                                  TextMode mode) {
  const size_t begin = text_.size();
  if (text.size() == 1 && IsSpace(text[0]) && !mode.preserves_space) {
    AppendSpace(source);
  } else {
    Append(source, text);
  }
  Keep(begin, mode);
}

// The marks of the section are not written again, so that all of it must be in
// the source of the passage.
void PassageBuilder::AddSection(TextRange section, TextRange content,
                                TextMode mode) {
  if (IsSpaces(content)) {
    return AddTag({InlineTag::Kind::kEmpty, section});
  }
  AddText(content, mode);
  if (sections_.size() == 0) sections_ = section;
  sections_.end = section.end;
}

void PassageBuilder::AddTag(const Tag& tag) {
  tags_.push_back({tag, text_.size()});
}

void PassageBuilder::Append(TextRange source, absl::string_view text) {
  const size_t begin = text_.size();
  text_.append(text.data(), text.size());
  ends_with_space_ = false;
  const bool is_copy = source.size() == text.size();
  if (is_copy && !runs_.empty() && runs_.back().source.end == source.begin &&
      runs_.back().source.size() == runs_.back().text.size()) {
    runs_.back().source.end = source.end;
    runs_.back().text.end = text_.size();
  } else {
    runs_.push_back({{begin, text_.size()}, source});
  }
}

// Appends one space, unless there is one. After an empty element a further
// space is visible in the source ("a <img> b"), so that it becomes part of the
// tag.
void PassageBuilder::AppendSpace(TextRange source) {
  if (!text_.empty() && !ends_with_space_) {
    Append(source, " ");
    ends_with_space_ = true;
  } else if (text_.empty() ? EndsWithTag(source.begin)
                           : EndsWithEmptyElement(source.begin)) {
    tags_.back().tag.source.end = source.end;
  }
}

bool PassageBuilder::EndsWithTag(size_t end) const {
  return !tags_.empty() && tags_.back().tag.source.end == end;
}

// Whether an element without content ends at `end` of the source.
bool PassageBuilder::EndsWithEmptyElement(size_t end) const {
  if (!EndsWithTag(end)) return false;
  const PendingTag& last = tags_.back();
  if (last.offset != text_.size()) return false;
  if (last.tag.kind == InlineTag::Kind::kEmpty) return true;
  if (last.tag.kind != InlineTag::Kind::kClose || tags_.size() < 2)
    return false;
  const PendingTag& before = tags_[tags_.size() - 2];
  return before.tag.kind == InlineTag::Kind::kOpen &&
         before.tag.name == last.tag.name && before.offset == last.offset;
}

void PassageBuilder::Keep(size_t begin, TextMode mode) {
  if (!mode.is_kept || begin == text_.size()) return;
  if (!kept_.empty() && kept_.back().end == begin) {
    kept_.back().end = text_.size();
  } else {
    kept_.push_back({begin, text_.size()});
  }
}

void PassageBuilder::MergeWithoutLetters(const Place& place, TextRange source) {
  if (takes_all_ || place.passage != serial_ ||
      HasLetter(absl::string_view(text_).substr(place.text_size))) {
    return;
  }
  CutText(place.text_size);
  while (!kept_.empty() && kept_.back().begin >= text_.size()) kept_.pop_back();
  if (!kept_.empty())
    kept_.back().end = std::min(kept_.back().end, text_.size());
  tags_.resize(place.num_tags);
  ends_with_space_ = !text_.empty() && IsSpace(text_.back());
  AddTag({InlineTag::Kind::kEmpty, source});
}

// Leaves the first `size` bytes of the text.
void PassageBuilder::CutText(size_t size) {
  text_.resize(size);
  while (!runs_.empty() && runs_.back().text.begin >= size) runs_.pop_back();
  if (runs_.empty() || runs_.back().text.end == size) return;
  SourceRun& run = runs_.back();
  run.source.end -= run.text.end - size;
  run.text.end = size;
}

bool PassageBuilder::IsSpaces(TextRange source) const {
  return Slice(source_, source).find_first_not_of(kSpaces) ==
         absl::string_view::npos;
}

void PassageBuilder::AddBorder() {
  TrimEnd();
  if (HasText()) {
    FindPartners();
    TakePassage(StripEdges());
  }
  Clear();
}

void PassageBuilder::Clear() {
  ++serial_;
  text_.clear();
  runs_.clear();
  kept_.clear();
  tags_.clear();
  sections_ = {};
  ends_with_space_ = false;
}

// The white space that is cut off goes to the raw piece, or to a tag before
// which it stands.
void PassageBuilder::TrimEnd() {
  size_t size = text_.size();
  while (size > 0 && IsSpace(text_[size - 1])) --size;
  if (size < text_.size()) {
    const size_t space_end = runs_.back().source.end;
    CutText(size);
    const size_t space_begin = runs_.empty() ? 0 : runs_.back().source.end;
    const auto tag =
        std::find_if(tags_.begin(), tags_.end(),
                     [&](const PendingTag& t) { return t.offset > size; });
    if (tag != tags_.end() && tag->tag.source.begin == space_end &&
        IsSpaces({space_begin, space_end})) {
      tag->tag.source.begin = space_begin;
    }
  }
  for (TextRange& range : kept_) {
    range.end = std::min(range.end, size);
    while (range.end > range.begin && IsSpace(text_[range.end - 1]))
      --range.end;
    while (range.begin < range.end && IsSpace(text_[range.begin]))
      ++range.begin;
  }
  kept_.erase(
      std::remove_if(kept_.begin(), kept_.end(),
                     [](const TextRange& r) { return r.begin >= r.end; }),
      kept_.end());
  for (PendingTag& tag : tags_) tag.offset = std::min(tag.offset, size);
}

bool PassageBuilder::HasText() const {
  const absl::string_view text = text_;
  if (takes_all_) return HasVisible(text);
  size_t begin = 0;
  for (const TextRange& kept : kept_) {
    if (HasLetter(Slice(text, {begin, kept.begin}))) return true;
    begin = kept.end;
  }
  return HasLetter(text.substr(begin));
}

// Start and end tags belong together by their names, the nearest first, also
// where elements overlap.
void PassageBuilder::FindPartners() {
  for (size_t i = 0; i < tags_.size(); ++i) {
    const Tag& tag = tags_[i].tag;
    if (tag.kind == InlineTag::Kind::kEmpty) continue;
    const auto name = static_cast<size_t>(tag.name);
    if (name >= open_.size()) open_.resize(name + 1);
    if (tag.kind == InlineTag::Kind::kOpen) {
      open_[name].push_back(static_cast<int32_t>(i));
    } else if (!open_[name].empty()) {
      tags_[i].partner = open_[name].back();
      tags_[open_[name].back()].partner = static_cast<int32_t>(i);
      open_[name].pop_back();
    } else if (tag.is_stray) {
      tags_[i].tag.kind = InlineTag::Kind::kEmpty;
    }
  }
  for (const PendingTag& tag : tags_) {
    if (tag.tag.name >= 0 && tag.tag.kind == InlineTag::Kind::kOpen) {
      open_[static_cast<size_t>(tag.tag.name)].clear();
    }
  }
}

// The range of indexes of the tags that have to stay in the passage. Those
// before it stand before all text, those after it stand after all text, and no
// element has one tag in the range and one outside.
TextRange PassageBuilder::StripEdges() {
  TextRange inner = {0, tags_.size()};
  const auto is_free = [&](size_t i, size_t offset) {
    const int32_t partner = tags_[i].partner;
    return tags_[i].offset == offset &&
           (partner < 0 ||
            tags_[static_cast<size_t>(partner)].offset == offset);
  };
  for (bool goes_on = true; goes_on;) {
    while (inner.size() > 0 && is_free(inner.begin, 0)) ++inner.begin;
    while (inner.size() > 0 && is_free(inner.end - 1, text_.size()))
      --inner.end;
    goes_on = inner.size() > 1 && tags_[inner.begin].offset == 0 &&
              tags_[inner.end - 1].offset == text_.size() &&
              tags_[inner.begin].partner == static_cast<int32_t>(inner.end) - 1;
    if (goes_on) {
      ++inner.begin;
      --inner.end;
    }
  }
  return inner;
}

void PassageBuilder::TakePassage(TextRange inner) {
  TextRange source = {runs_.front().source.begin, runs_.back().source.end};
  if (inner.size() > 0) {
    source.begin = std::min(source.begin, tags_[inner.begin].tag.source.begin);
    source.end = std::max(source.end, tags_[inner.end - 1].tag.source.end);
  }
  if (sections_.size() > 0) {
    source.begin = std::min(source.begin, sections_.begin);
    source.end = std::max(source.end, sections_.end);
  }
  result_.raw.push_back(Slice(source_, {raw_begin_, source.begin}));
  raw_begin_ = source.end;
  Passage passage;
  passage.tags = TakeTags(inner);
  passage.text = std::move(text_);
  passage.kept = std::move(kept_);
  passage.runs = std::move(runs_);
  result_.passages.push_back(std::move(passage));
}

std::vector<InlineTag> PassageBuilder::TakeTags(TextRange inner) const {
  std::vector<InlineTag> tags;
  tags.reserve(inner.size());
  for (size_t i = inner.begin; i < inner.end; ++i) {
    const PendingTag& tag = tags_[i];
    // An element has the index of its first tag as its number.
    const auto index = static_cast<int32_t>(i - inner.begin);
    int32_t element = index;
    if (tag.partner >= 0) {
      const int32_t partner = tag.partner - static_cast<int32_t>(inner.begin);
      if (partner >= 0) element = std::min(index, partner);
    }
    tags.push_back(
        {tag.tag.kind, tag.offset, Slice(source_, tag.tag.source), element});
  }
  return tags;
}

MarkupText PassageBuilder::Finish() {
  result_.raw.push_back(source_.substr(raw_begin_));
  return std::move(result_);
}

}  // namespace sheaf
