// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <grpc/support/time.h>

#include "base/monotonic_time.h"

namespace sheaf {

// Converts points of time. gRPC's C++ interface uses system_clock, which
// follows the wall clock and overflows after the year 2262. These functions
// avoid both.
MonotonicTime FromGrpc(gpr_timespec time);
gpr_timespec ToGrpc(MonotonicTime time);

}  // namespace sheaf
