// SPDX-License-Identifier: Apache-2.0

#include "text/checks/text_edits.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace sheaf {
namespace {

// Builds an edited text from left to right.
class Editor {
 public:
  Editor(absl::string_view text, const TextAlignment& alignment)
      : text_(text), alignment_(alignment) {}

  // Appends what stands between the last edit and `end`.
  void KeepUntil(size_t end) {
    const size_t offset = result_.text.size();
    absl::StrAppend(&result_.text, text_.substr(at_, end - at_));
    for (; next_ < alignment_.size(); ++next_) {
      const AlignedSpan& span = alignment_[next_];
      const TextRange kept = {std::max(span.target.begin, at_),
                              std::min(span.target.end, end)};
      if (kept.begin < kept.end) {
        result_.alignment.push_back(
            {{offset + kept.begin - at_, offset + kept.end - at_},
             span.source});
      }
      if (span.target.end > end) break;  // its rest may follow an edit
    }
    at_ = end;
  }

  void Replace(const TextEdit& edit) {
    const size_t begin = result_.text.size();
    result_.text += edit.text;
    if (!edit.text.empty()) {
      result_.alignment.push_back({{begin, result_.text.size()}, edit.source});
    }
    at_ = edit.range.end;
  }

  EditedText Finish() {
    KeepUntil(text_.size());
    return std::move(result_);
  }

 private:
  const absl::string_view text_;
  const TextAlignment& alignment_;
  EditedText result_;
  size_t at_ = 0;    // what is before is done
  size_t next_ = 0;  // the first span that may have a part after at_
};

}  // namespace

EditedText ApplyEdits(absl::string_view text, const TextAlignment& alignment,
                      absl::Span<const TextEdit> edits) {
  Editor editor(text, alignment);
  for (const TextEdit& edit : edits) {
    editor.KeepUntil(edit.range.begin);
    editor.Replace(edit);
  }
  return editor.Finish();
}

void ReplacedSource::Keep(absl::string_view original, TextRange range) {
  absl::StrAppend(&text_, Slice(original, range));
  original_size_ = range.end;
}

void ReplacedSource::Replace(TextRange range, absl::string_view text) {
  const size_t begin = text_.size();
  absl::StrAppend(&text_, text);
  replacements_.push_back({{begin, text_.size()}, range});
  original_size_ = range.end;
}

size_t ReplacedSource::ToOriginal(size_t at, bool is_end) const {
  // The last replacement that begins at `at` or before.
  const auto next = std::upper_bound(
      replacements_.begin(), replacements_.end(), at,
      [](size_t place, const Replacement& r) { return place < r.now.begin; });
  if (next == replacements_.begin()) return std::min(at, original_size_);
  const Replacement& last = *std::prev(next);
  const bool is_within =
      is_end ? at > last.now.begin && at <= last.now.end : at < last.now.end;
  if (is_within) return is_end ? last.before.end : last.before.begin;
  if (at <= last.now.begin) return last.before.begin;
  return std::min(last.before.end + (at - last.now.end), original_size_);
}

TextRange ReplacedSource::ToOriginal(TextRange range) const {
  const size_t begin = ToOriginal(range.begin, /*is_end=*/false);
  if (range.size() == 0) return {begin, begin};
  return {begin, std::max(begin, ToOriginal(range.end, /*is_end=*/true))};
}

TextAlignment ReplacedSource::ToOriginal(TextAlignment alignment) const {
  for (AlignedSpan& span : alignment) {
    if (span.source.size() > 0) span.source = ToOriginal(span.source);
  }
  return alignment;
}

}  // namespace sheaf
