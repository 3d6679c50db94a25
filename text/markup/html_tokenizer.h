// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"
#include "text/marks.h"

namespace sheaf {

// A tag, a text or something else of an HTML text.
struct HtmlToken {
  enum class Kind {
    kText,  // with character references as they are
    kStartTag,
    kEndTag,
    kOther,  // a comment, a DOCTYPE, an unfinished tag: whatever has no text
    kCData,  // only in foreign content
  };
  Kind kind = Kind::kText;
  TextRange source;
  // For tags:
  absl::string_view name;  // as in the source
  bool is_self_closing = false;
  // For start tags: the values of these attributes as in the source, without
  // quotes. Null: the tag has none.
  absl::string_view translate;
  absl::string_view css_class;
};

// Cuts an HTML text into tokens, as the standard's section "Tokenization" says.
// It does not recurse and reads each byte a bounded number of times.
//
// Invariant: the tokens' sources are the text, in order and without gaps.
//
// This is our own because the available libraries do not suit untrusted input.
// Debian's gumbo 0.10.1 needs 15 s and more for 1 MiB of "<b>" and crashes when
// it frees the tree, and needs 777 MB for 16 KiB of unclosed <b>.
class HtmlTokenizer {
 public:
  // `text` must outlive the tokenizer and its tokens.
  explicit HtmlTokenizer(absl::string_view text) : text_(text) {}

  // False at the end of the text. `in_foreign` tells whether the token stands
  // in SVG or MathML, which have CDATA sections.
  bool Next(bool in_foreign, HtmlToken& token);

  // After the start tag of an element whose content is no markup: returns the
  // content, which ends before the end tag, or with the text.
  TextRange ReadRawText(absl::string_view name);
  TextRange ReadScript();  // of <script>
  TextRange ReadToEnd();   // of <plaintext>

 private:
  bool IsAt(size_t at, absl::string_view lower) const;
  bool IsEndTagAt(size_t at, absl::string_view name) const;
  size_t FindText(size_t at) const;
  size_t CommentEnd() const;
  size_t DeclarationEnd(bool in_foreign, HtmlToken& token) const;
  size_t EndOf(char mark, size_t at) const;
  void ReadTag(HtmlToken& token);
  void ReadAttribute(HtmlToken& token);

  absl::string_view text_;
  size_t at_ = 0;
};

}  // namespace sheaf
