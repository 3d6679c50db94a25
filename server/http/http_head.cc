// SPDX-License-Identifier: Apache-2.0

#include "server/http/http_head.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace sheaf {
namespace {

constexpr char kRetrySeconds[] = "1";

std::string DateNow() {
  return absl::FormatTime("%a, %d %b %E4Y %H:%M:%S GMT", absl::Now(),
                          absl::UTCTimeZone());
}

}  // namespace

std::string HttpHeadText(const HttpResponse& response,
                         const HttpHeadOptions& options) {
  std::string head = absl::StrCat(
      "HTTP/1.1 ", response.status, " ", ReasonOf(response.status),
      "\r\nDate: ", DateNow(), "\r\nX-Request-Id: ", options.request_id, "\r\n",
      options.framing);
  const auto add = [&head](absl::string_view name, absl::string_view value) {
    absl::StrAppend(&head, name, ": ", value, "\r\n");
  };
  if (!response.content_type.empty()) {
    add("Content-Type", response.content_type);
  }
  add("Cache-Control", "no-store");
  add("X-Content-Type-Options", "nosniff");
  if (response.status == 429 || response.status == 503) {
    add("Retry-After", kRetrySeconds);
  }
  if (response.status == 401) add("WWW-Authenticate", "Bearer");
  for (const HttpFields* fields : {&response.fields, &options.more}) {
    for (const auto& [name, value] : *fields) add(name, value);
  }
  if (options.must_close) add("Connection", "close");
  head += "\r\n";
  return head;
}

}  // namespace sheaf
