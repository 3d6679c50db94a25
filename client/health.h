#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/client.h"

namespace sheaf {

// Asks a server, over a connection of its own, how it is (grpc.health.v1).
// `service` empty: as a whole; "sheaf.v1.TextService"; "liveness": whether its
// engine moves. OK if it is SERVING. UNAVAILABLE if it is not, or nobody
// answers; NOT_FOUND if it has no such service; DEADLINE_EXCEEDED.
absl::Status CheckHealth(const ClientOptions& server,
                         const std::string& service,
                         const CallOptions& options = {});

}  // namespace sheaf
