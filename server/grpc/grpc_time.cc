// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/grpc_time.h"

#include <cstdint>
#include <limits>

#include "absl/time/time.h"

namespace sheaf {

MonotonicTime FromGrpc(gpr_timespec time) {
  if (time.tv_sec == std::numeric_limits<int64_t>::max()) {
    return MonotonicTime::InfiniteFuture();
  }
  if (time.tv_sec == std::numeric_limits<int64_t>::min()) {
    return MonotonicTime::InfinitePast();
  }
  const gpr_timespec left =
      gpr_time_sub(gpr_convert_clock_type(time, GPR_CLOCK_MONOTONIC),
                   gpr_now(GPR_CLOCK_MONOTONIC));
  return MonotonicTime::Now() + absl::Seconds(left.tv_sec) +
         absl::Nanoseconds(left.tv_nsec);
}

gpr_timespec ToGrpc(MonotonicTime time) {
  // gRPC treats times beyond int64_t nanoseconds, 292 years, as infinite.
  const int64_t left_ns = absl::ToInt64Nanoseconds(time - MonotonicTime::Now());
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(left_ns, GPR_TIMESPAN));
}

}  // namespace sheaf
