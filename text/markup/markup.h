// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "text/marks.h"

namespace sheaf {

enum class TextFormat { kPlain, kHtml, kXml };

// How ParseMarkup() cuts a text. Names of elements are compared without case in
// HTML, and exactly in XML.
struct MarkupOptions {
  // Elements whose content is kept as it is, like <code> in HTML.
  std::vector<std::string> ignored_tags;
  // Elements that bound passages wherever they stand.
  std::vector<std::string> splitting_tags;
  // Elements that never bound passages. A name must be in one list only.
  std::vector<std::string> non_splitting_tags;
  // Finds the further elements that bound passages. In HTML these are the
  // blocks of the standard. In XML these are the elements that contain no text
  // of their own and do not stand in an element that does. False: only
  // `splitting_tags` bound passages.
  bool outline_detection = true;
  // Whether translate="no" and "yes" (also its:translate and, in HTML, the
  // class "notranslate") say what is kept.
  bool translate_attributes = true;
};

// A piece of markup that stands in a sentence.
struct InlineTag {
  enum class Kind {
    kOpen,
    kClose,
    // Has no content: <br/>, a comment, an image with everything in it. A
    // stray end tag is one, too.
    kEmpty,
  };
  Kind kind;
  size_t offset;  // of the passage's text, in bytes; it stands before this one
  // As in the source, a view of it. White space that has no place in the
  // passage's text may stand before or after it ("<img> ").
  absl::string_view markup;
  // The same for the two tags of an element. An element whose other tag stands
  // in another passage has one in this one.
  int32_t element;
};

// A part of a passage's text and the bytes that it comes from. If both have the
// same size, they correspond byte by byte. Otherwise the text is one character
// (two for a few entities) or one space.
struct SourceRun {
  TextRange text;
  TextRange source;
};

// A text between two borders: a paragraph, a cell, a title.
//
// Invariants:
//   1. `text` has a letter outside of `kept`, no white space of the format at
//      its ends, and no two in sequence unless white space is preserved.
//   2. `tags` are in the order of the source, with offsets that never decrease.
//   3. Tags that stand before all text, or after it, are in the raw pieces,
//      unless their element is cut by that ("<b>New</b> house").
//   4. `runs` cover `text` without gaps.
struct Passage {
  std::string text;             // entities decoded, white space collapsed
  std::vector<InlineTag> tags;  // inline
  // Ranges of `text` that must not be translated, but stand in the sentence:
  // <code>, translate="no". Sorted, disjoint, not empty.
  std::vector<TextRange> kept;
  std::vector<SourceRun> runs;
};

// A marked-up text as passages and what lies between them.
//
// Invariant: raw.size() == passages.size() + 1, and the text is raw[0], the
// source of passages[0], raw[1], ..., raw[n].
struct MarkupText {
  std::vector<absl::string_view> raw;  // views of the text; copied as they are
  std::vector<Passage> passages;
};

// Reads a text with markup. Views in the result are of `text`.
//
// HTML is read as browsers do, whatever it is like: whole documents and
// fragments. It is never an error. XML must be well-formed, except that a text
// may have several root elements, or none. Otherwise the error names line and
// column. A DTD that declares entities is an error, and no file is ever read.
//
// These are copied and are in no passage: <pre>, <textarea>, <template>,
// <script>, <style>, <svg>, <math> and other elements whose content is not
// read as HTML, comments, processing instructions, and all attributes (alt,
// title and placeholder included).
//
// The time is linear in the text. Calls `is_wanted` about once per millisecond,
// and returns a CancelledError once that returns false. REQUIRES: `text` is
// UTF-8, `format` is not kPlain.
absl::StatusOr<MarkupText> ParseMarkup(absl::string_view text,
                                       TextFormat format,
                                       const MarkupOptions& options,
                                       absl::FunctionRef<bool()> is_wanted);

// The text of all passages, one per line, and in addition the text without
// letters and the text that is to be kept. Errors and requirements are those of
// ParseMarkup().
absl::StatusOr<std::string> PlainTextOf(absl::string_view text,
                                        TextFormat format,
                                        absl::FunctionRef<bool()> is_wanted);

// Writes `text` so that a reader of the format gets it back: '&', '<' and '>'
// become entities, control characters become numeric references, and in HTML
// U+00A0 becomes &nbsp;, as in the standard's serialization. Other characters
// stay, whatever entity they came from. Characters that the format cannot have,
// such as U+0003 in XML, become U+FFFD. kPlain changes nothing.
std::string EscapeText(absl::string_view text, TextFormat format);

// The bytes of the request's text from which a range of a passage comes,
// without the tags before and after it. REQUIRES: the range is within the text.
TextRange SourceRange(const Passage& passage, TextRange range);

}  // namespace sheaf
