// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "server/ops/http_listener.h"

namespace sheaf {

// The descriptors and threads that the server needs. See base/process_limits.h.

// The number of descriptors in addition to --max_connections: those of the
// metrics' listener, and 64 for everything else, 16 of which are connections
// from this machine.
inline constexpr int32_t kOtherFiles = HttpListener::kMaxConnections + 64;

// Returns FAILED_PRECONDITION, naming the limit (ulimit -n), if the process may
// not open kOtherFiles descriptors and one connection.
absl::Status CheckOpenFiles();

// Returns the number of threads of a started server with `num_threads` that
// compute.
int32_t ThreadsAtStart(int32_t num_threads);

}  // namespace sheaf
