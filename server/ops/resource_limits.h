#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "server/ops/http_listener.h"

namespace sheaf {

// Whether the process may use the threads and descriptors that its start needs.
// Checked first, because gRPC and others abort if one is missing.

// Descriptors that are not for connections of RPCs: those of the metrics
// listener, and 64 for everything else.
inline constexpr int32_t kOtherFiles = HttpListener::kMaxConnections + 64;

// FAILED_PRECONDITION names the limit (ulimit -n) if the process may not open
// kOtherFiles and one connection.
absl::Status CheckOpenFiles();

// Number of threads of a started server, if `num_threads` compute.
int32_t ThreadsAtStart(int32_t num_threads);

// Starts `num_threads` threads for a moment. If one does not start,
// FAILED_PRECONDITION names the limits that may be the cause (ulimit -u and -v,
// the control group's).
absl::Status CheckThreads(int32_t num_threads);

}  // namespace sheaf
