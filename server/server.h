// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/host_port.h"
#include "engine/engine.h"
#include "server/served_model.h"
#include "server/server_options.h"

namespace sheaf {

// The parts that the engine runs on. Not owned; all outlive the server.
struct EngineParts {
  KvPoolShape kv_shape;
  ModelRunner* runner;
  ThreadTeam* team;
  const kernels::Kernels* kernels;
};

// The engine with its RPCs, HTTP front and metrics.
//
// Health: "" and each service are SERVING until the server drains; "liveness"
// is SERVING until the engine is stuck.
//
// Serves from Start() until Drain() or its destruction, whichever is first. Not
// thread-safe: one thread starts, drains and destroys it.
class Server {
 public:
  // The objects that `model` points to are not owned and outlive the server.
  // FAILED_PRECONDITION if an address cannot be listened on. Other errors are
  // those of AuthTokens::Load() and Certificates::Load().
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const ServerOptions& options, const ServedModel& model,
      const EngineParts& parts);
  ~Server();  // Ends running requests with CANCELLED.
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The addresses of the options, with the actual ports.
  const HostPort& listen() const { return listen_; }
  const HostPort& metrics_listen() const { return metrics_listen_; }
  const std::optional<HostPort>& http_listen() const { return http_listen_; }

  // Reads tokens, certificates and authorities again at once. Without it, this
  // happens within a second of a change. The log has the result for each.
  void Reload();

  // Refuses new requests with UNAVAILABLE, waits for those that have arrived,
  // ends the rest shortly before `timeout`, and stops listening. Texts that are
  // still being read then end with UNAVAILABLE.
  void Drain(absl::Duration timeout);

 private:
  class Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
  HostPort listen_;
  HostPort metrics_listen_;
  std::optional<HostPort> http_listen_;
};

}  // namespace sheaf
