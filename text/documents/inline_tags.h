// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/strings/string_view.h"
#include "text/documents/inline_text.h"

namespace sheaf {

// Adds a text that may have tags like those of HTML ("<b>", "<1>", "<br/>"),
// entities ("&amp;") and codes in braces of subtitles ("{\an8}"). Tags that
// belong together become pairs. Void tags stand alone. Other tags without a
// partner ("<FILE>"), and entities, are text that is kept. If there are any,
// line breaks are codes; otherwise they are part of the text.
void AddTaggedText(absl::string_view text, InlineText& out);

}  // namespace sheaf
