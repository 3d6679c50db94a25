// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/host_port.h"
#include "server/access/credentials.h"
#include "server/access/trusted_proxies.h"
#include "server/http/http_host.h"
#include "server/ops/connection_listener.h"
#include "server/ops/metrics.h"

namespace sheaf {

// Serves HTTP/1.1: accepts connections up to limits, and has the calls of a
// router answer their requests. Two threads serve all connections and never
// wait for one of them.
//
// With TLS, the process must ignore SIGPIPE.
//
// One thread starts, drains and destroys it.
class HttpFront {
 public:
  struct Options {
    HostPort address;
    ConnectionListener::Options connections;
    HttpLimits limits;
    CorsOrigins cors_origins;
    // The certificate of the moment; null: no encryption.
    std::function<TlsIdentity()> identity;
    // Bytes of bodies that have arrived and are not answered, of all clients.
    int64_t max_body_bytes = int64_t{32} << 20;
    std::function<void(const ConnectionListener::Refusal&)> on_refused =
        [](const ConnectionListener::Refusal&) {};
  };

  // Listens, but does not serve yet. `router` and `metrics` are not owned.
  // Errors are those of ConnectionListener::Listen().
  static absl::StatusOr<std::unique_ptr<HttpFront>> Listen(
      Options options, const HttpRouter* router, Metrics* metrics);
  ~HttpFront();  // REQUIRES: no HttpCall of it is left.
  HttpFront(const HttpFront&) = delete;
  HttpFront& operator=(const HttpFront&) = delete;

  int32_t port() const;  // 0 for a Unix socket

  // Serves from now on. Called once.
  void Start();
  // From now on each answer is the last of its connection, and bodies that have
  // not arrived are not waited for.
  void BeginDrain();
  // Stops listening and drops all connections. The calls that are left end as
  // if their clients had gone.
  void Stop();

 private:
  class Parts;
  explicit HttpFront(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace sheaf
