// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "server/http/http_message.h"

namespace sheaf {

// What an answer has in addition to its own fields.
struct HttpHeadOptions {
  absl::string_view framing;  // whole lines: "Content-Length: 5\r\n"
  absl::string_view request_id;
  const HttpFields& more;
  bool must_close;  // the connection ends after this answer
};

// The bytes of an answer before its body. Adds Date, what keeps browsers and
// caches from using it otherwise, when to retry (429, 503), and how to show a
// token (401).
std::string HttpHeadText(const HttpResponse& response,
                         const HttpHeadOptions& options);

}  // namespace sheaf
