// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/access/caller_limiter.h"
#include "server/http/http_router.h"
#include "server/ops/metrics.h"

namespace sheaf {

// A file of the page, by its name in server/http/page.
struct PageFile {
  absl::string_view name;  // "page.css"
  absl::string_view content;
};
absl::Span<const PageFile> PageFiles();

// Adds the page on which people try the models: GET / and GET /page/NAME, which
// need no token, and the figures that it shows, GET /v1/stats:
//   {"tokensPerSecond": 0.0, "requestsRunning": 0, "requestsWaiting": 0,
//    "sequencesRunning": 0, "kvSelfBytes": 0, "kvCrossBytes": 0,
//    "kvCapacityBytes": 0}
// A browser that shows the page calls only the server that it came from; the
// policy in its header lets it call no other.
//
// `metrics` and `limiter` are not owned.
void AddPage(const Metrics& metrics, CallerLimiter* limiter,
             HttpRouter& router);

}  // namespace sheaf
