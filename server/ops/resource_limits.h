#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "server/ops/http_listener.h"

namespace sheaf {

// Whether the process has what its start takes, besides memory. gRPC and others
// abort where a thread or a descriptor is missing, so this is asked before.

// Descriptors that are no connections' of the RPCs: those of the metrics'
// listener, and 64 for all else.
inline constexpr int32_t kOtherFiles = HttpListener::kMaxConnections + 64;

// FAILED_PRECONDITION names the limit (ulimit -n) if the process may not open
// kOtherFiles and one connection.
absl::Status CheckOpenFiles();

// Threads of a server that has started, with `num_threads` that compute.
int32_t ThreadsAtStart(int32_t num_threads);

// Starts so many threads for a moment. FAILED_PRECONDITION names the limits
// that may be the cause (ulimit -u and -v, the control group's) if they cannot
// all be started.
absl::Status CheckThreads(int32_t num_threads);

}  // namespace sheaf
