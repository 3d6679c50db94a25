// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/http/http_message.h"

namespace sheaf {

// An error as RFC 9457 writes it:
//   {"type": "about:blank", "title": "Bad Request", "status": 400,
//    "detail": "decoding.top_p is 2; ...", "code": "INVALID_ARGUMENT",
//    "field": "decoding.top_p"}
// "code" is that of gRPC; "field" is there if one field is wrong.
std::string ProblemText(const absl::Status& status);
HttpResponse ProblemResponse(const absl::Status& status);

}  // namespace sheaf
