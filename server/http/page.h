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
//   {"tokens_per_second": 0.0, "num_requests_running": 0,
//    "num_requests_waiting": 0, "num_sequences_running": 0,
//    "kv_self_bytes": 0, "kv_cross_bytes": 0, "kv_capacity_bytes": 0}
// A browser that shows the page calls only the server that it came from; the
// policy in its header lets it call no other.
//
// `metrics` and `limiter` are not owned.
void AddPage(const Metrics& metrics, CallerLimiter* limiter,
             HttpRouter& router);

}  // namespace sheaf
