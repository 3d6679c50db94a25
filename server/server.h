#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/engine.h"
#include "server/host_port.h"
#include "server/served_model.h"
#include "server/server_options.h"

namespace sheaf {

// What the engine runs on. Not owned; all outlive the server.
struct EngineParts {
  KvPoolShape kv_shape;
  ModelRunner* runner;
  ThreadTeam* team;
  const kernels::Kernels* kernels;
};

// The engine, the RPCs in front of it and the metrics beside it.
//
// Health, beside the services' own: "" and each service are SERVING until the
// server drains; "liveness" is until the engine is stuck.
//
// Serves from Start() until Drain() or the end of its life, whichever is first.
// Not thread-safe: one thread starts, drains and destroys it.
class Server {
 public:
  // `model` names what is not owned and outlives the server.
  // FAILED_PRECONDITION if an address cannot be listened on; as
  // AuthTokens::Load() and Certificates::Load().
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const ServerOptions& options, const ServedModel& model,
      const EngineParts& parts);
  ~Server();  // Ends what still runs with CANCELLED.
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // As in the options, but with the real ports.
  const HostPort& listen() const { return listen_; }
  const HostPort& metrics_listen() const { return metrics_listen_; }

  // Reads tokens, certificates and authorities again at once, as it does by
  // itself within a second of a change. The log says what became of each.
  void Reload();

  // Refuses new requests with UNAVAILABLE, lets those that have arrived come to
  // their end, ends the rest a little before `timeout` (texts that are still
  // being read with UNAVAILABLE), and stops listening.
  void Drain(absl::Duration timeout);

 private:
  class Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
  HostPort listen_;
  HostPort metrics_listen_;
};

}  // namespace sheaf
