// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// Returns INVALID_ARGUMENT marked as an error of the command line. A program
// that fails with one ends with exit code 2 instead of 1.
absl::Status UsageError(absl::string_view message);
bool IsUsageError(const absl::Status& status);

// Returns `status` with "PREFIX: " before its message. Code and mark stay.
absl::Status WithPrefix(const absl::Status& status, absl::string_view prefix);

}  // namespace sheaf
