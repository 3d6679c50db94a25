// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <unordered_set>

#include "absl/strings/string_view.h"
#include "text/documents/inline_text.h"

namespace sheaf {

// Adds the inline content of a block of Markdown, whose lines are joined by
// '\n', as CommonMark reads it. Codes are emphasis, strong emphasis, "~~",
// links and images (whose text is translated, and whose target is kept), tags,
// and hard breaks. Code, autolinks and entities are kept. Escaped characters
// are text.
//
// `labels` are those of the file's link definitions. A reference by its text
// alone ("[text]") becomes one by label ("[text][label]"), so that its text can
// be translated. The time is linear.
void AddMarkdown(absl::string_view text,
                 const std::unordered_set<std::string>& labels,
                 InlineText& out);

}  // namespace sheaf
