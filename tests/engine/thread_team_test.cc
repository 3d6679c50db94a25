// SPDX-License-Identifier: Apache-2.0

#include "engine/thread_team.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_root.h"

namespace sheaf {
namespace {

using ::testing::Each;

class ThreadTeamTest : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Sizes, ThreadTeamTest, ::testing::Values(1, 2, 5));

TEST_P(ThreadTeamTest, EveryMemberRunsTheFunctionOnce) {
  ThreadTeam team(GetParam());
  std::vector<int> calls(GetParam(), 0);
  for (int run = 1; run <= 200; ++run) {
    team.Run([&](const ThreadTeam::Member& member) {
      EXPECT_EQ(member.count(), GetParam());
      ++calls[member.index()];
    });
    ASSERT_THAT(calls, Each(run));
  }
}

// A prefix sum by doubling. It is wrong as soon as a member passes a barrier
// before another has arrived, or does not see what another has written.
TEST_P(ThreadTeamTest, ABarrierShowsWhatAllHaveWrittenBefore) {
  ThreadTeam team(GetParam());
  const int n = 64;
  std::vector<int64_t> a(n), b(n);
  for (int run = 0; run < 100; ++run) {
    a.assign(n, 1);
    team.Run([&](const ThreadTeam::Member& member) {
      std::vector<int64_t>*from = &a, *to = &b;
      for (int step = 1; step < n; step *= 2) {
        const auto [begin, end] = member.Share(n);
        for (int64_t i = begin; i < end; ++i) {
          (*to)[i] = (*from)[i] + (i >= step ? (*from)[i - step] : 0);
        }
        std::swap(from, to);
        member.Barrier();
      }
    });
    for (int i = 0; i < n; ++i) ASSERT_EQ(a[i], i + 1);
  }
}

TEST_P(ThreadTeamTest, SharesCoverEverythingOnce) {
  ThreadTeam team(GetParam());
  for (int n : {0, 1, 3, 16, 1001}) {
    std::vector<std::atomic<int>> hits(n);
    team.Run([&](const ThreadTeam::Member& member) {
      const auto [begin, end] = member.Share(n);
      for (int64_t i = begin; i < end; ++i) ++hits[i];
    });
    for (int i = 0; i < n; ++i) ASSERT_EQ(hits[i], 1);
  }
}

TEST_P(ThreadTeamTest, EveryPartRunsOnceAndNoMemberTwoAtATime) {
  ThreadTeam team(GetParam());
  std::mt19937 random(1);
  std::vector<int> calls(GetParam());
  std::vector<std::atomic<bool>> is_busy(GetParam());
  for (int run = 0; run < 2000; ++run) {
    const int num_parts = 1 + static_cast<int>(random() % GetParam());
    calls.assign(GetParam(), 0);
    team.RunParts(num_parts, [&](int32_t part, int32_t member) {
      EXPECT_FALSE(is_busy[member].exchange(true));
      ++calls[part];
      is_busy[member] = false;
    });
    for (int part = 0; part < GetParam(); ++part) {
      ASSERT_EQ(calls[part], part < num_parts ? 1 : 0);
    }
    if (random() % 3 != 0) continue;
    // A late worker must not miss a run of all members, nor run it twice.
    calls.assign(GetParam(), 0);
    team.Run([&](const ThreadTeam::Member& member) {
      if (member.index() < GetParam()) ++calls[member.index()];
      member.Barrier();
    });
    ASSERT_EQ(calls[0], 1);
    for (const int count : calls) ASSERT_LE(count, 1);
  }
}

// A worker that is busy with one part leaves the others to the caller.
TEST(ThreadTeamPartsTest, TheCallerTakesThePartsThatNobodyHasTaken) {
  constexpr int kSize = 3;
  ThreadTeam team(kSize);
  std::atomic<bool> has_last = false;
  std::vector<int> taken_by(kSize, -1);
  team.RunParts(kSize, [&](int32_t part, int32_t member) {
    taken_by[part] = member;
    // Holds every other member until the last part is taken.
    if (part == kSize - 1) {
      has_last = true;
    } else {
      while (member != 0 && !has_last) std::this_thread::yield();
    }
  });
  EXPECT_THAT(taken_by, Each(testing::Ge(0)));
}

// One member is always slow, as if another process used its core.
TEST(ThreadTeamShrinkTest, LeavesOutAMemberThatAllWaitForAndNoWork) {
  constexpr int kSize = 3, kPhases = 20, kThings = 7;
  ThreadTeam team(kSize);
  std::vector<std::atomic<int>> hits(kPhases * kThings);
  std::vector<int> counts;
  std::atomic<int> num_returned = 0;
  team.Run([&](const ThreadTeam::Member& member) {
    for (int phase = 0; phase < kPhases; ++phase) {
      const auto [begin, end] = member.Share(kThings);
      for (int64_t i = begin; i < end; ++i) ++hits[phase * kThings + i];
      for (int64_t i = member.index(); i < kThings; i += member.count()) {
        ++hits[phase * kThings + i];
      }
      if (member.index() == kSize - 1) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
      if (member.index() == 0) counts.push_back(member.count());
      member.Barrier();
    }
    ++num_returned;
  });
  EXPECT_EQ(num_returned, kSize);
  EXPECT_EQ(counts.front(), kSize);
  EXPECT_LT(counts.back(), kSize);
  for (const std::atomic<int>& count : hits) EXPECT_EQ(count, 2);
  // The next run begins with a small team, and still does all the work.
  std::atomic<int> sum = 0;
  team.Run([&](const ThreadTeam::Member& member) {
    if (member.index() == 0) {
      EXPECT_LT(member.count(), kSize);
    }
    const auto [begin, end] = member.Share(kThings);
    sum += static_cast<int>(end - begin);
  });
  EXPECT_EQ(sum, kThings);
}

TEST(NumUsableProcessorsTest, FollowsTheQuotaOfTheOwnGroup) {
  FakeRoot root("thread_team_test_root");
  const int32_t without_quota = NumUsableProcessors(root.path());
  EXPECT_GE(without_quota, 1);
  root.Write("proc/self/cgroup", "0::/system.slice/a.service\n")
      .Write("proc/self/mountinfo",
             "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  const std::string file = "sys/fs/cgroup/system.slice/a.service/cpu.max";
  root.Write(file, "100000 100000\n");
  EXPECT_EQ(NumUsableProcessors(root.path()), 1);
  root.Write(file, "1000 100000\n");
  EXPECT_EQ(NumUsableProcessors(root.path()), 1);
  root.Write(file, "100001 100000\n");
  EXPECT_EQ(NumUsableProcessors(root.path()), std::min(2, without_quota));
  root.Write(file, "99900000 100000\n");
  EXPECT_EQ(NumUsableProcessors(root.path()), without_quota);
}

}  // namespace
}  // namespace sheaf
