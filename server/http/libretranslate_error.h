// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/status/status.h"
#include "server/http/http_message.h"

namespace sheaf {

// {"error": "..."} with the status of LibreTranslate: 400 for what it does not
// have, 403 for a token, 429 with Retry-After for a limit. Fields have the
// names of its parameters.
HttpResponse LibreTranslateError(const absl::Status& status);

}  // namespace sheaf
