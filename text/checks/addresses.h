// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"
#include "text/marks.h"

namespace sheaf {

// The address or name that the character at `at` shows to be one. It has `at`
// in it. Empty if there is none. These are found:
//   - URLs, at their "://", or at "www.". They end as linkifiers say, before
//     punctuation that belongs to the sentence
//   - e-mail addresses, at their "@"; @name
//   - #tag, which has a letter
//   - paths, at their first separator: /etc/hosts, ./a, ~/a, src/main.cc,
//     example.org/a, C:\a, C:\Program Files\a, \\server\a
//   - names of files with a common extension, at the "."
//   - hosts with a common top-level label, at a ".": example.org
//   - version numbers, at their first character: v2, v1.2.3, 1.2.3-rc1.
//     "1.234.567" and "3.10.1990" are none
//
// All calls for a text together take time linear in it. REQUIRES: `text` is
// UTF-8, and a character begins at `at`.
TextRange AddressAt(absl::string_view text, size_t at);

}  // namespace sheaf
