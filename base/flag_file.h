// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// One line of a file of flags. All programs read such files by the same rules.
// A line has one of the forms
//   --name            --name=value            --name value
// with one dash or two.
//
//   1. White space around a line and around a value is ignored.
//   2. Blank lines are skipped, and so are comments: a '#' at the beginning of
//   a
//      line or after white space, and the rest of the line.
//   3. A value may be enclosed in "double" or 'single' quotes. Everything
//      between them is the value, unchanged, and only a comment may follow. A
//      quote within a value that does not begin with one is an ordinary
//      character.
//
// A line that does not follow the rules is an error, not a guess.
struct FlagLine {
  int32_t number = 0;  // counted from 1
  std::string name;
  std::optional<std::string> value;
};

// The maximum nesting of files that name one another with --flagfile.
inline constexpr int32_t kMaxFlagFileDepth = 8;

// Returns the flag of a line, or nullopt for a blank line or a comment. The
// error, INVALID_ARGUMENT, does not have the line's number.
absl::StatusOr<std::optional<FlagLine>> ParseFlagLine(absl::string_view line);

// Returns the flags of a file. NOT_FOUND names a file that cannot be read, and
// INVALID_ARGUMENT names file and line ("PATH:3: ...").
absl::StatusOr<std::vector<FlagLine>> ReadFlagFile(const std::string& path);

}  // namespace sheaf
