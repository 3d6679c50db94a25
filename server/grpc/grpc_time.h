#pragma once

#include <grpc/support/time.h>

#include "base/monotonic_time.h"

namespace sheaf {

// gRPC's points of time, and ours. gRPC's C++ interface offers system_clock's,
// which follow the wall clock and overflow after the year 2262; these neither
// do.
MonotonicTime FromGrpc(gpr_timespec time);
gpr_timespec ToGrpc(MonotonicTime time);

}  // namespace sheaf
