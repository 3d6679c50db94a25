// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/grpc_time.h"

#include <gtest/gtest.h>

namespace sheaf {
namespace {

// The maximum time between two readings of the clock; large, because machines
// may be busy.
constexpr absl::Duration kSlack = absl::Seconds(10);

void ExpectNear(absl::Duration actual, absl::Duration expected) {
  EXPECT_GT(actual, expected - kSlack);
  EXPECT_LT(actual, expected + kSlack);
}

TEST(GrpcTimeTest, EachOfGrpcsClocksIsTurnedIntoOurs) {
  for (const gpr_clock_type clock : {GPR_CLOCK_MONOTONIC, GPR_CLOCK_REALTIME}) {
    for (const int64_t seconds : {-3600, 0, 3600}) {
      const gpr_timespec time = gpr_time_add(
          gpr_now(clock), gpr_time_from_seconds(seconds, GPR_TIMESPAN));
      ExpectNear(FromGrpc(time) - MonotonicTime::Now(), absl::Seconds(seconds));
    }
  }
}

TEST(GrpcTimeTest, WhatIsBeyondTheNanosecondsOfAnInt64IsNotOver) {
  // 99999999H, the longest grpc-timeout.
  const gpr_timespec time =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                   gpr_time_from_hours(99'999'999, GPR_TIMESPAN));
  ExpectNear(FromGrpc(time) - MonotonicTime::Now(), absl::Hours(99'999'999));
}

TEST(GrpcTimeTest, WhatIsInfiniteStaysInfinite) {
  EXPECT_EQ(FromGrpc(gpr_inf_future(GPR_CLOCK_MONOTONIC)),
            MonotonicTime::InfiniteFuture());
  EXPECT_EQ(FromGrpc(gpr_inf_past(GPR_CLOCK_REALTIME)),
            MonotonicTime::InfinitePast());
  EXPECT_EQ(FromGrpc(ToGrpc(MonotonicTime::InfiniteFuture())),
            MonotonicTime::InfiniteFuture());
  EXPECT_EQ(FromGrpc(ToGrpc(MonotonicTime::InfinitePast())),
            MonotonicTime::InfinitePast());
}

TEST(GrpcTimeTest, OursIsTurnedIntoGrpcsMonotonicClock) {
  for (const int64_t seconds : {-3600, 0, 3600}) {
    const gpr_timespec time =
        ToGrpc(MonotonicTime::Now() + absl::Seconds(seconds));
    ASSERT_EQ(time.clock_type, GPR_CLOCK_MONOTONIC);
    const gpr_timespec left = gpr_time_sub(time, gpr_now(GPR_CLOCK_MONOTONIC));
    ExpectNear(absl::Seconds(left.tv_sec), absl::Seconds(seconds));
  }
}

}  // namespace
}  // namespace sheaf
