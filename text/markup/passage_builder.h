// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "text/marks.h"
#include "text/markup/markup.h"

namespace sheaf {

// Makes passages of the texts and inline tags of a document, which its reader
// adds in the order of the source. The rest of the document goes to the raw
// pieces by itself.
class PassageBuilder {
 public:
  struct TextMode {
    bool is_kept = false;  // not translated
    bool preserves_space = false;
  };
  struct Tag {
    InlineTag::Kind kind;
    TextRange source;
    int32_t name = -1;  // the same for the tags that can form an element
    // For kClose: no element of this name is open, so that it is a kEmpty
    // unless the passage has a start tag for it.
    bool is_stray = false;
  };
  // A place in the current passage.
  struct Place {
    size_t passage = 0;
    size_t num_tags = 0;
    size_t text_size = 0;
  };

  // With `takes_all`, passages need no letter outside of kept ranges; a
  // character that is no white space is enough.
  PassageBuilder(absl::string_view source, bool takes_all)
      : source_(source), takes_all_(takes_all) {}

  // Appends text as it stands in the source.
  void AddText(TextRange source, TextMode mode);
  // Appends the text of a character reference.
  void AddReference(TextRange source, absl::string_view text, TextMode mode);
  // Appends the text of a CDATA section. If it is only white space, the section
  // is a kEmpty tag.
  void AddSection(TextRange section, TextRange content, TextMode mode);
  void AddTag(const Tag& tag);
  // Ends the passage, if there is one. The source from here to the next text or
  // tag is not part of any passage.
  void AddBorder();

  Place place() const { return {serial_, tags_.size(), text_.size()}; }
  // Makes everything from `place`, which is that of a start tag, to the end of
  // the source range one kEmpty tag, if it is in this passage and has no
  // letter.
  void MergeWithoutLetters(const Place& place, TextRange source);

  // REQUIRES: AddBorder() was called last.
  MarkupText Finish();

 private:
  struct PendingTag {
    Tag tag;
    size_t offset;
    int32_t partner = -1;  // the index of the other tag of its element
  };

  void Append(TextRange source, absl::string_view text);
  void AppendSpace(TextRange source);
  bool EndsWithTag(size_t end) const;
  bool EndsWithEmptyElement(size_t end) const;
  void CutText(size_t size);
  bool IsSpaces(TextRange source) const;
  void Keep(size_t begin, TextMode mode);
  bool HasText() const;
  void TrimEnd();
  void FindPartners();
  TextRange StripEdges();
  bool IsInner(size_t index, TextRange stripped) const;
  void TakePassage(TextRange inner);
  std::vector<InlineTag> TakeTags(TextRange inner) const;
  void Clear();

  absl::string_view source_;
  const bool takes_all_;
  MarkupText result_;
  size_t raw_begin_ = 0;  // the end of the last passage
  size_t serial_ = 0;     // the number of passages that ended

  // The current passage.
  std::string text_;
  std::vector<SourceRun> runs_;
  std::vector<TextRange> kept_;
  std::vector<PendingTag> tags_;
  TextRange sections_;  // from the first CDATA section to the last, if any
  bool ends_with_space_ = false;  // one that was collapsed
  std::vector<std::vector<int32_t>>
      open_;  // scratch of FindPartners(), by name
};

}  // namespace sheaf
