// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// How the line breaks within a text are read.
enum class LineBreaks {
  kAutomatic,   // paragraphs that are certainly hard-wrapped are joined
  kKeep,        // each ends a sentence
  kParagraphs,  // the lines of every paragraph are joined
};

// Joins the lines of paragraphs: a line break between two lines of a paragraph,
// and the white space around it, becomes one space. It becomes nothing between
// characters that are written without spaces (Han, Kana, Thai), and after a
// hyphen that divides a word ("well-" "known").
//
// These lines do not belong to a paragraph, and their line breaks stay:
//   - blank lines and lines without a letter or digit
//   - headings ("# "), quotations ("> "), tables ("| "), fenced code, and code
//     that is indented by 4 columns or more
//   - lines after the line "-- " (the signature of an e-mail)
// A list item begins a paragraph, which continues with lines that are indented
// further than its mark. A line that is indented further than those before it
// begins a paragraph. Two spaces or a backslash at the end of a line keep its
// break.
//
// kAutomatic joins a paragraph only if
//   - no first word of a line would have fitted in the line before it (in long
//     lines, with 5 columns to spare)
//   - its longest line has 50 to 80 columns, and at least one line and a third
//     of all lines end without punctuation before a lower-case letter; or it
//     has three lines or more, the longest has 25 to 49 columns, and all lines
//     except the last end in this way
//   - it begins with a capital letter (or has three long lines), and ends with
//     terminal punctuation or a colon.
//
// The result is never longer than the text. The time is linear. Calls
// `is_wanted` about once per millisecond, so that a long text can let others
// have a turn. Once that returns false, returns what was joined so far.
// REQUIRES: `text` is UTF-8.
std::string JoinLines(
    absl::string_view text, LineBreaks line_breaks,
    absl::FunctionRef<bool()> is_wanted = [] { return true; });

}  // namespace sheaf
