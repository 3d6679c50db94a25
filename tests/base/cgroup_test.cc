// SPDX-License-Identifier: Apache-2.0

#include "base/cgroup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/support/fake_root.h"

namespace sheaf {
namespace {

using ::testing::DoubleEq;
using ::testing::Optional;

constexpr char kV2Mount[] =
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
constexpr char kV1Mounts[] =
    "31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup "
    "rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "36 31 0:33 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n";
constexpr char kV1NoLimit[] = "9223372036854771712\n";

class CgroupTest : public testing::Test {
 protected:
  std::optional<double> Quota() const { return CgroupCpuQuota(root_.path()); }
  std::optional<int64_t> Memory() const {
    return CgroupMemoryLimit(root_.path());
  }
  FakeRoot root_{"cgroup_test_root"};
};

// As a unit of systemd with CPUQuota=150% has it.
TEST_F(CgroupTest, Version2ReadsTheOwnGroup) {
  root_.Write("proc/self/cgroup", "0::/system.slice/sheaf-server.service\n")
      .Write("proc/self/mountinfo", kV2Mount)
      .Write("sys/fs/cgroup/system.slice/cpu.max", "max 100000\n")
      .Write("sys/fs/cgroup/system.slice/memory.max", "max\n")
      .Write("sys/fs/cgroup/system.slice/sheaf-server.service/cpu.max",
             "150000 100000\n")
      .Write("sys/fs/cgroup/system.slice/sheaf-server.service/memory.max",
             "2000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(1.5)));
  EXPECT_THAT(Memory(), Optional(2000));
}

TEST_F(CgroupTest, Version2TakesTheSmallestOfTheGroupAndItsParents) {
  root_.Write("proc/self/cgroup", "0::/pods/pod1/main\n")
      .Write("proc/self/mountinfo", kV2Mount)
      .Write("sys/fs/cgroup/pods/cpu.max", "300000 100000\n")
      .Write("sys/fs/cgroup/pods/memory.max", "max\n")
      .Write("sys/fs/cgroup/pods/pod1/cpu.max", "100000 50000\n")
      .Write("sys/fs/cgroup/pods/pod1/memory.max", "1000\n")
      .Write("sys/fs/cgroup/pods/pod1/main/cpu.max", "250000 100000\n")
      .Write("sys/fs/cgroup/pods/pod1/main/memory.max", "2000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(2)));
  EXPECT_THAT(Memory(), Optional(1000));
}

// A sibling's limits are no concern of this process.
TEST_F(CgroupTest, OtherGroupsAreNotRead) {
  root_.Write("proc/self/cgroup", "0::/pods/pod1\n")
      .Write("proc/self/mountinfo", kV2Mount)
      .Write("sys/fs/cgroup/pods/pod2/cpu.max", "100000 100000\n")
      .Write("sys/fs/cgroup/pods/pod1/inner/memory.max", "1000\n");
  EXPECT_EQ(Quota(), std::nullopt);
  EXPECT_EQ(Memory(), std::nullopt);
}

TEST_F(CgroupTest, Version1ReadsTheHierarchyOfTheController) {
  root_
      .Write("proc/self/cgroup",
             "9:name=systemd:/a\n7:cpuset:/a\n5:cpu,cpuacct:/a\n4:memory:/b\n")
      .Write("proc/self/mountinfo", kV1Mounts)
      .Write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "50000\n")
      .Write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n")
      .Write("sys/fs/cgroup/memory/b/memory.limit_in_bytes", "4000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(0.5)));
  EXPECT_THAT(Memory(), Optional(4000));
}

TEST_F(CgroupTest, Version1TakesTheSmallestOfTheGroupAndItsParents) {
  root_.Write("proc/self/cgroup", "5:cpu,cpuacct:/a/b\n4:memory:/a/b\n")
      .Write("proc/self/mountinfo", kV1Mounts)
      .Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n")
      .Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
      .Write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "300000\n")
      .Write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n")
      .Write("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n")
      .Write("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n")
      .Write("sys/fs/cgroup/memory/memory.limit_in_bytes", kV1NoLimit)
      .Write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "5000\n")
      .Write("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "6000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(3)));
  EXPECT_THAT(Memory(), Optional(5000));
}

// On a hybrid system version 2 is mounted too, but has no controllers.
TEST_F(CgroupTest, HybridSystemsHaveTheLimitsInVersion1) {
  root_
      .Write("proc/self/cgroup",
             "5:cpu,cpuacct:/a\n4:memory:/a\n0::/user.slice/b\n")
      .Write("proc/self/mountinfo",
             std::string(kV1Mounts) +
                 "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n")
      .Write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "100000\n")
      .Write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n")
      .Write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "7000\n")
      .Write("sys/fs/cgroup/unified/user.slice/b/cgroup.procs", "1\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(1)));
  EXPECT_THAT(Memory(), Optional(7000));
}

// A container with a namespace of its own: its group is the root.
TEST_F(CgroupTest, InANamespaceTheMountPointIsTheGroup) {
  root_.Write("proc/self/cgroup", "0::/\n")
      .Write("proc/self/mountinfo", kV2Mount)
      .Write("sys/fs/cgroup/cpu.max", "200000 100000\n")
      .Write("sys/fs/cgroup/memory.max", "3000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(2)));
  EXPECT_THAT(Memory(), Optional(3000));
}

// A container without one: the host's path of the group is the mount's root.
TEST_F(CgroupTest, InAContainerTheMountsRootIsCutOff) {
  root_.Write("proc/self/cgroup", "5:cpu:/docker/1/a\n4:memory:/docker/1\n")
      .Write("proc/self/mountinfo",
             "32 31 0:29 /docker/1 /sys/fs/cgroup/cpu ro - cgroup cgroup "
             "rw,cpu\n"
             "35 31 0:32 /docker/1 /sys/fs/cgroup/memory ro - cgroup cgroup "
             "rw,memory\n")
      .Write("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "150000\n")
      .Write("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n")
      .Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "8000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(1.5)));
  EXPECT_THAT(Memory(), Optional(8000));
}

// "/docker/12" does not lie below "/docker/1".
TEST_F(CgroupTest, AMountThatDoesNotShowTheGroupCountsOnlyIfNoneDoes) {
  const std::string other =
      "35 31 0:32 /docker/1 /other rw - cgroup2 cgroup2 rw\n";
  root_.Write("proc/self/cgroup", "0::/docker/12\n")
      .Write("proc/self/mountinfo", kV2Mount + other)
      .Write("other/memory.max", "1000\n")
      .Write("sys/fs/cgroup/docker/12/memory.max", "2000\n");
  EXPECT_THAT(Memory(), Optional(2000));
  root_.Write("proc/self/mountinfo", other);
  EXPECT_THAT(Memory(), Optional(1000));
}

// A process that was moved out of its namespace's root.
TEST_F(CgroupTest, AGroupOutsideTheNamespaceIsNotLookedFor) {
  root_.Write("proc/self/cgroup", "0::/../b\n")
      .Write("proc/self/mountinfo", kV2Mount)
      .Write("sys/fs/b/memory.max", "1000\n")
      .Write("sys/fs/cgroup/memory.max", "2000\n");
  EXPECT_THAT(Memory(), Optional(2000));
}

TEST_F(CgroupTest, MountPointsMayContainBlanks) {
  root_.Write("proc/self/cgroup", "0::/a\n")
      .Write("proc/self/mountinfo",
             "30 23 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\n")
      .Write("my groups/a/memory.max", "1000\n");
  EXPECT_THAT(Memory(), Optional(1000));
}

TEST_F(CgroupTest, NoLimitGivesNone) {
  root_.Write("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/a\n0::/b\n")
      .Write("proc/self/mountinfo", std::string(kV2Mount) + kV1Mounts)
      .Write("sys/fs/cgroup/b/cpu.max", "max 100000\n")
      .Write("sys/fs/cgroup/b/memory.max", "max\n")
      .Write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n")
      .Write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n")
      .Write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", kV1NoLimit);
  EXPECT_EQ(Quota(), std::nullopt);
  EXPECT_EQ(Memory(), std::nullopt);
}

TEST_F(CgroupTest, MissingOrBrokenFilesGiveNone) {
  EXPECT_EQ(Quota(), std::nullopt);
  EXPECT_EQ(Memory(), std::nullopt);
  root_.Write("proc/self/cgroup", "0::/a\nrubbish\n\n");
  EXPECT_EQ(Quota(), std::nullopt);
  root_
      .Write("proc/self/mountinfo",
             std::string("x\n1 2 - cgroup2\n\n") + kV2Mount)
      .Write("sys/fs/cgroup/a/cpu.max", "100000 0\n")
      .Write("sys/fs/cgroup/a/memory.max", "many\n");
  EXPECT_EQ(Quota(), std::nullopt);
  EXPECT_EQ(Memory(), std::nullopt);
}

}  // namespace
}  // namespace sheaf
