// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "base/host_port.h"
#include "server/access/credentials.h"
#include "server/access/trusted_proxies.h"
#include "server/ops/log.h"
#include "server/request_reader.h"

namespace sheaf {

// The options of Server::Start(). The program fills them from its flags.
struct ServerOptions {
  HostPort listen;
  HostPort metrics_listen;
  RequestLimits limits;
  absl::Duration default_deadline = absl::Minutes(10);
  int32_t max_queue = 256;
  int64_t max_queued_bytes = int64_t{1} << 30;
  // Only a proxy can reach `listen`. Start() does not check it.
  bool is_behind_proxy = false;
  TrustedProxies trusted_proxies;
  TlsFiles tls;                         // not set: no encryption
  std::string auth_tokens_file;         // empty: calls need no token
  int32_t max_requests_per_caller = 0;  // 0: no limit
  int32_t max_streams_per_connection = 1024;
  int32_t max_connections = 4096;
  int32_t max_connections_per_address = 1024;
  int32_t max_metadata_bytes = 16 << 10;
  absl::Duration max_connection_age = absl::InfiniteDuration();
  absl::Duration max_connection_idle = absl::Minutes(5);
  // "liveness" is NOT_SERVING after this long with work and without a step.
  absl::Duration stuck_after = absl::Seconds(30);
  bool has_reflection = true;
  Log* log = nullptr;  // not owned; null: nothing is logged
};

}  // namespace sheaf
