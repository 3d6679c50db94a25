// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/client.h"

namespace sheaf {

// Asks a server for its health over a new connection (grpc.health.v1).
// `service` is empty for the server as a whole, the name of a service such as
// "sheaf.v1.TextService", or "liveness", which tells whether the engine makes
// progress. Returns
//   OK                 it is SERVING
//   UNAVAILABLE        it is not, or no server answers
//   NOT_FOUND          there is no such service
//   DEADLINE_EXCEEDED  there was no answer in time
absl::Status CheckHealth(const ClientOptions& server,
                         const std::string& service,
                         const CallOptions& options = {});

}  // namespace sheaf
