// SPDX-License-Identifier: Apache-2.0

#include "server/ops/memory_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/fake_root.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;

TEST(MemoryLimitsTest, IncludeControlGroupMachineAndProcess) {
  FakeRoot root("memory_limit_test_root");
  root.Write("proc/self/cgroup", "0::/\n")
      .Write("proc/self/mountinfo",
             "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
      .Write("sys/fs/cgroup/memory.max", "3000\n")
      .Write(
          "proc/meminfo",
          "MemTotal:       100 kB\nMemFree:        1 kB\n"
          "MemAvailable:   40 kB\nSwapTotal:      9 kB\nSwapFree:      2 kB\n")
      .Write(
          "proc/self/limits",
          "Limit                     Soft Limit           Hard Limit\n"
          "Max data size             8000                 9000       bytes\n"
          "Max address space         9000                 unlimited  bytes\n")
      .Write("proc/self/status",
             "Name:\tx\nVmSize:\t       3 kB\nVmData:\t   2 kB\n");
  std::vector<MemoryLimit> limits = MemoryLimits(root.path());
  ASSERT_EQ(limits.size(), 4u);
  EXPECT_EQ(limits[0].bytes, 3000);
  EXPECT_EQ(limits[1].bytes, (40 + 2) * 1024);
  EXPECT_EQ(limits[2].bytes, 9000 - 3 * 1024);
  EXPECT_EQ(limits[2].margin_bytes, kAddressMarginBytes);
  EXPECT_EQ(limits[3].bytes, 8000 - 2 * 1024);
}

TEST(MemoryLimitsTest, UnlimitedOrUnknownGivesNone) {
  FakeRoot root("memory_limit_test_root");
  EXPECT_TRUE(MemoryLimits(root.path()).empty());
  root.Write(
          "proc/self/limits",
          "Max address space         unlimited            unlimited  bytes\n")
      .Write("proc/self/status", "VmSize:\t       3 kB\n");
  EXPECT_TRUE(MemoryLimits(root.path()).empty());
}

TEST(CheckMemoryFitsTest, OneByteTooMuchIsRefusedWithTheRoomThatIsLeft) {
  const int64_t limit = 1000 + 500 + kMemoryMarginBytes;
  const int64_t few = kActivationsInMargin;
  const auto check = [&](int64_t activations, int64_t kv) {
    return CheckMemoryFits(
        {1000, activations, kv},
        {{"the room", int64_t{1} << 50}, {"the rest", limit}});
  };
  EXPECT_TRUE(check(few, 500).ok());
  EXPECT_TRUE(check(few + 7, 493).ok());
  EXPECT_FALSE(check(few + 7, 494).ok());
  const absl::Status status = check(few, 501);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("--kv_cache_bytes is 501"));
  EXPECT_THAT(status.message(), HasSubstr("leaves 500"));
  EXPECT_THAT(status.message(),
              HasSubstr(absl::StrCat("the rest of ", limit, " less 1000")));
  EXPECT_TRUE(CheckMemoryFits({1000, 0, int64_t{1} << 40}, {}).ok());
}

TEST(CheckMemoryFitsTest, RequestsBeyondTheMarginCountTwice) {
  const int64_t limit = 1000 + 500 + kMemoryMarginBytes;
  EXPECT_TRUE(
      CheckMemoryFits({1000, 0, 500, kQueuedInMargin}, {{"it", limit}}).ok());
  EXPECT_TRUE(
      CheckMemoryFits({1000, 0, 500 - 14, kQueuedInMargin + 7}, {{"it", limit}})
          .ok());
  EXPECT_FALSE(
      CheckMemoryFits({1000, 0, 500 - 13, kQueuedInMargin + 7}, {{"it", limit}})
          .ok());
}

TEST(CheckMemoryFitsTest, TransportBeyondTheMarginCountsTwice) {
  const int64_t limit = 1000 + 500 + kMemoryMarginBytes;
  const auto fits = [&](int64_t transport_bytes, int64_t kv_bytes) {
    return CheckMemoryFits({.weight_bytes = 1000,
                            .kv_cache_bytes = kv_bytes,
                            .transport_bytes = transport_bytes},
                           {{"it", limit}})
        .ok();
  };
  EXPECT_TRUE(fits(kTransportInMargin, 500));
  EXPECT_TRUE(fits(kTransportInMargin + 7, 500 - 14));
  EXPECT_FALSE(fits(kTransportInMargin + 7, 500 - 13));
}

TEST(CheckMemoryFitsTest, HttpHasNoPlaceInTheMargin) {
  const int64_t limit = 1000 + 500 + kMemoryMarginBytes;
  const auto fits = [&](int64_t http_bytes, int64_t kv_bytes) {
    return CheckMemoryFits({.weight_bytes = 1000,
                            .kv_cache_bytes = kv_bytes,
                            .http_bytes = http_bytes},
                           {{"it", limit}})
        .ok();
  };
  EXPECT_TRUE(fits(7, 500 - 7));
  EXPECT_FALSE(fits(7, 500 - 6));
}

TEST(DerivedQueuedBytesTest, IsTheMarginPlusAQuarterOfTheRest) {
  constexpr int64_t kMiB = 1 << 20;
  const MemoryNeeds needs = {.weight_bytes = 30 * kMiB,
                             .activation_bytes = 0,
                             .kv_cache_bytes = 200 * kMiB};
  const int64_t taken = 230 * kMiB + kMemoryMarginBytes;
  EXPECT_EQ(DerivedQueuedBytes(needs, taken), kQueuedInMargin);
  EXPECT_EQ(DerivedQueuedBytes(needs, taken - 1), kQueuedInMargin);
  EXPECT_EQ(DerivedQueuedBytes(needs, taken + 80 * kMiB),
            kQueuedInMargin + 20 * kMiB);
  EXPECT_EQ(DerivedQueuedBytes(needs, int64_t{1} << 40), 1024 * kMiB);
}

}  // namespace
}  // namespace sheaf
