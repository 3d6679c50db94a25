#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// What the program can do, with examples.
std::string ProgramHelp();

// What a subcommand does, with its flags; a UsageError if there is no such one.
absl::StatusOr<std::string> CommandHelp(absl::string_view command);

// UsageError if one of the flags has no effect on the subcommand.
absl::Status CheckFlagsOf(absl::string_view command,
                          const std::vector<std::string>& flags);

}  // namespace sheaf
