#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// INVALID_ARGUMENT that says that the command line is wrong, not the call: the
// program then ends with 2, not 1.
absl::Status UsageError(absl::string_view message);
bool IsUsageError(const absl::Status& status);

// The status with "PREFIX: " before its message; code and kind stay.
absl::Status WithPrefix(const absl::Status& status, absl::string_view prefix);

// "sheaf: CODE: message", the form of every error that the program prints.
std::string FormatError(const absl::Status& status);

// "DEADLINE_EXCEEDED"; "CODE_42" for a number that has no name.
std::string CodeName(absl::StatusCode code);

}  // namespace sheaf
