// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "server/access/cors_origins.h"
#include "server/access/intake.h"
#include "server/access/trusted_proxies.h"
#include "server/http/http_router.h"
#include "server/ops/metrics.h"

namespace sheaf {

// The limits of a connection.
struct HttpLimits {
  size_t max_header_bytes = 16 << 10;
  int64_t max_body_bytes = int64_t{4} << 20;
  absl::Duration handshake_timeout = absl::Seconds(20);  // of TLS
  // From the first byte of a request to the end of its header.
  absl::Duration header_timeout = absl::Seconds(10);
  // From there to the end of its body.
  absl::Duration body_timeout = absl::Seconds(60);
  // How long an answer, or a part of one, may be on its way.
  absl::Duration answer_timeout = absl::Seconds(20);
  absl::Duration idle_timeout = absl::Minutes(5);  // between two requests
  absl::Duration max_age = absl::InfiniteDuration();
};

// Shared by all connections. What the pointers refer to outlives them.
struct HttpHost {
  const HttpRouter* router;
  Metrics* metrics;
  const TrustedProxies* proxies;
  // Counts the bodies of requests that are not answered, by address.
  Intake* bodies;
  HttpLimits limits;
  CorsOrigins cors_origins;
  // Set once; from then on each answer is the last of its connection.
  std::atomic<bool> is_draining = false;
};

}  // namespace sheaf
