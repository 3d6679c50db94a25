#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// A file of flags, which all programs read by the same rules. A line is one of
//   --name            --name=value            --name value
// with one dash or two.
//
//   1. White space around a line and around a value is not part of them.
//   2. Blank lines, and what follows a '#' at the beginning of a line or behind
//      white space, are skipped.
//   3. A value may stand in "double" or 'single' quotes. Everything between
//   them
//      is the value, as it is; nothing but a comment may follow. A quote within
//      a value that does not begin with one is plain.
//
// A line that does not follow the rules is an error, not a guess.
struct FlagLine {
  int32_t number = 0;  // of the line, from 1
  std::string name;
  std::optional<std::string> value;
};

// Files that name one another with --flagfile, at most.
inline constexpr int32_t kMaxFlagFileDepth = 8;

// The flags of a line; nothing if it has none. INVALID_ARGUMENT without the
// line's number.
absl::StatusOr<std::optional<FlagLine>> ParseFlagLine(absl::string_view line);

// The flags of a file. NOT_FOUND names the file if it cannot be read,
// INVALID_ARGUMENT names file and line ("PATH:3: ...").
absl::StatusOr<std::vector<FlagLine>> ReadFlagFile(const std::string& path);

}  // namespace sheaf
