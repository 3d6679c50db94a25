// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <cstddef>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

// Lines that end with LF, CR LF, or CR, as in CommonMark and WebVTT.
namespace sheaf {

// The end of the line that contains text[at], without its line break.
inline size_t LineEnd(absl::string_view text, size_t at) {
  return std::min(text.find_first_of("\r\n", at), text.size());
}

// The line break at LineEnd(); empty at the end of the text.
inline absl::string_view LineBreakAt(absl::string_view text, size_t line_end) {
  const absl::string_view rest = text.substr(line_end);
  return rest.substr(0, absl::StartsWith(rest, "\r\n") ? 2 : 1);
}

}  // namespace sheaf
