// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// A flag that may be given several times: its values, in order.
struct RepeatedString {
  std::vector<std::string> values;
};
bool AbslParseFlag(absl::string_view text, RepeatedString* flag,
                   std::string* error);
std::string AbslUnparseFlag(const RepeatedString& flag);

struct ParsedFlags {
  std::vector<std::string> positional;  // the other arguments, in order
  // Names of the flags on the command line itself. Those of a --flagfile are
  // left out, because a file may serve several subcommands and contain flags
  // that one of them does not use.
  std::vector<std::string> given;
};

// Sets the program's Abseil flags from `arguments` (without the program's
// name). The forms are --name=value, --name value, and --name and --noname for
// a bool, with one dash or two. --flagfile=FILE reads a file by the rules of
// base/flag_file.h. Arguments after "--" are not flags. If a flag is given
// twice, the last value counts, except that a RepeatedString collects all.
//
// Errors (UsageError) name the flag, and for a flag file its path and line. The
// flags before the wrong one have been set. absl::ParseCommandLine is not used
// because it ends the process with the exit code of a failed call.
//
// Not thread-safe; called at the start of main().
absl::StatusOr<ParsedFlags> ParseFlags(
    const std::vector<std::string>& arguments);

// The same for a program without other arguments: one is a UsageError too.
absl::Status ParseOnlyFlags(const std::vector<std::string>& arguments);

}  // namespace sheaf
