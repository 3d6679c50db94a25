// SPDX-License-Identifier: Apache-2.0

#include "absl/flags/flag.h"
#include "base/usage_error.h"
#include "client/commands.h"
#include "client/flags.h"
#include "client/health.h"

namespace sheaf {
namespace {

// Ends a probe that hangs.
constexpr absl::Duration kProbeTimeout = absl::Seconds(5);

}  // namespace

absl::Status RunHealth(Invocation& invocation) {
  if (invocation.arguments.size() > 1) {
    return UsageError("health takes one service only");
  }
  absl::StatusOr<ClientOptions> server = ServerFromFlags();
  if (!server.ok()) return server.status();
  absl::StatusOr<CallOptions> call = CallOptionsFromFlags();
  if (!call.ok()) return call.status();
  if (call->timeout == absl::InfiniteDuration()) call->timeout = kProbeTimeout;
  const std::string service =
      invocation.arguments.empty() ? "" : invocation.arguments.front();
  const absl::Status status = CheckHealth(*server, service, *call);
  if (!status.ok()) return status;
  return invocation.out.Write("SERVING\n");
}

}  // namespace sheaf
