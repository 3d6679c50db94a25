// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace sheaf {

// The end of the placeholder, escape, tag or piece of code that begins at `at`;
// `at` if none does. These are found:
//   - {x}, {}, {0:.2f}, {count, number}, {{x}}, {{{x}}}, {% if x %}
//   - ${x}, $(x), $name, #{x}
//   - %s, %-5.2lf, %1$s, %(x)d, %{x}, %1, %@, %%, %Y, %name, %NAME%
//   - :x:, of letters and underscores
//   - \n, \t, \", \\, \u00e9 and the like
//   - <b>, </b>, <ph id="1"/>, <!-- x -->
//   - `x`, ``x``
//   - ](target), the end of a link in Markdown
// "100 % sure", "5 %ig" and "10:30:" have none. The contents have no line break
// and a limited length.
//
// Reads a limited number of bytes. REQUIRES: `text` is UTF-8, and a character
// begins at `at`.
size_t PlaceholderEnd(absl::string_view text, size_t at);

}  // namespace sheaf
