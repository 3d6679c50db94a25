// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// Returns an overview of the program with examples.
std::string ProgramHelp();

// Returns what a subcommand does, with its flags. UsageError if there is no
// such subcommand.
absl::StatusOr<std::string> CommandHelp(absl::string_view command);

// Returns a UsageError if one of the flags has no effect on the subcommand.
absl::Status CheckFlagsOf(absl::string_view command,
                          const std::vector<std::string>& flags);

}  // namespace sheaf
