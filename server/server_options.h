// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "base/host_port.h"
#include "server/access/cors_origins.h"
#include "server/access/credentials.h"
#include "server/access/trusted_proxies.h"
#include "server/caller_glossaries.h"
#include "server/ops/log.h"
#include "server/request_reader.h"

namespace sheaf {

// The options of Server::Start(). The program fills them from its flags.
struct ServerOptions {
  HostPort listen;
  HostPort metrics_listen;
  std::optional<HostPort> http_listen;  // none: no HTTP
  CorsOrigins http_cors_origins;
  RequestLimits limits;
  absl::Duration default_deadline = absl::Minutes(10);
  int32_t max_queue = 256;
  int64_t max_queued_bytes = int64_t{1} << 30;
  // Only a proxy can reach `listen`. Start() does not check it.
  bool is_behind_proxy = false;
  TrustedProxies trusted_proxies;
  TlsFiles tls;                  // not set: no encryption
  std::string auth_tokens_file;  // empty: calls need no token
  std::string glossaries;        // a directory; empty: none
  std::string http_glossaries;   // likewise, of callers
  CallerGlossaries::Limits http_glossary_limits;
  int32_t max_requests_per_caller = 1024;  // in sequences; 0: no limit
  int32_t max_streams_per_connection = 1024;
  int32_t max_connections = 4096;
  int32_t max_connections_per_address = 1024;
  int32_t max_metadata_bytes = 16 << 10;
  // From the headers of a call to its whole message.
  absl::Duration message_timeout = absl::Seconds(60);
  // How long an answer may be on its way to a client that does not read.
  absl::Duration answer_timeout = absl::Seconds(20);
  // Memory of gRPC for connections, headers and messages that have not arrived
  // whole. TransportBytes() is the value that is used.
  int64_t transport_bytes = int64_t{64} << 20;
  absl::Duration max_connection_age = absl::InfiniteDuration();
  absl::Duration max_connection_idle = absl::Minutes(5);
  // "liveness" is NOT_SERVING after this long with work and without a step.
  absl::Duration stuck_after = absl::Seconds(30);
  bool has_reflection = true;
  Log* log = nullptr;  // not owned; null: nothing is logged
};

// The largest message. A text slightly over the limit still reaches the request
// reader, which tells the client the limit. gRPC refuses far longer ones
// unread.
inline int MaxMessageBytes(const ServerOptions& options) {
  constexpr int64_t kSlackBytes = 1 << 20;
  return static_cast<int>(
      std::min<int64_t>(2 * options.limits.max_text_bytes + kSlackBytes,
                        std::numeric_limits<int>::max()));
}

// The largest body of HTTP. An escape takes up to three times the bytes of the
// character that it stands for (%C3%BC; \u00fc twice).
inline int64_t MaxHttpBodyBytes(const ServerOptions& options) {
  return options.limits.max_text_bytes + MaxMessageBytes(options);
}

// Two of the largest messages fit into a half of it.
inline int64_t TransportBytes(const ServerOptions& options) {
  return std::max(options.transport_bytes,
                  4 * int64_t{MaxMessageBytes(options)});
}

// The memory for bodies of HTTP that arrive: as much as gRPC may take for
// messages that arrive, and at least four of the largest bodies.
inline int64_t HttpBodyBytes(const ServerOptions& options) {
  return std::max(TransportBytes(options) / 2, 4 * MaxHttpBodyBytes(options));
}

// The memory for translated files that wait until their clients fetch them over
// HTTP.
inline constexpr int64_t kHttpFileBytes = int64_t{32} << 20;

// The memory of HTTP; none without --http_listen.
inline int64_t HttpBytes(const ServerOptions& options) {
  if (!options.http_listen.has_value()) return 0;
  const int64_t glossary_bytes = options.http_glossaries.empty()
                                     ? 0
                                     : options.http_glossary_limits.max_bytes;
  return HttpBodyBytes(options) + kHttpFileBytes + glossary_bytes;
}

}  // namespace sheaf
