// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace sheaf {

// The end of the emoji that begins at `begin`, with its modifiers and all that
// zero-width joiners join to it, or of the flag; `begin` itself if there is
// none. Pictographs count whose usual form is text ("✔", "☎"), except "©", "®"
// and "™". REQUIRES: `text` is UTF-8, and begin < text.size().
size_t EmojiEnd(absl::string_view text, size_t begin);

}  // namespace sheaf
