// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/status/status.h"

namespace sheaf {

// Attaches the HTTP status that reports an error, if it says more than the code
// does: 413 for a body that is too long. Does not change an OK status.
absl::Status WithHttpStatus(absl::Status status, int http_status);

// The attached status, else the one that is usual for the code. 200 for OK.
int HttpStatusOf(const absl::Status& status);

// The code that is usual for an HTTP status.
absl::StatusCode CodeOfHttpStatus(int http_status);

}  // namespace sheaf
