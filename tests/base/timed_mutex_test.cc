// SPDX-License-Identifier: Apache-2.0

#include "base/timed_mutex.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/monotonic_time.h"

namespace sheaf {
namespace {

TEST(TimedMutexTest, AWaitEndsWhenAnotherThreadMakesItTrue) {
  TimedMutex mutex;
  int turn = 0;  // guarded by mutex
  constexpr int kNumThreads = 4;
  constexpr int kNumTurns = 1000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kNumThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < kNumTurns; ++k) {
        TimedMutexLock lock(&mutex);
        const auto is_mine = [&] { return turn % kNumThreads == i; };
        EXPECT_TRUE(mutex.AwaitWithTimeout(is_mine, absl::InfiniteDuration()));
        ++turn;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(turn, kNumThreads * kNumTurns);
}

TEST(TimedMutexTest, WhoWaitsHearsOfChangesByOneThatWaitsToo) {
  TimedMutex mutex;
  bool is_asked = false, is_answered = false;  // guarded by mutex
  std::thread other([&] {
    TimedMutexLock lock(&mutex);
    EXPECT_TRUE(mutex.AwaitWithTimeout([&] { return is_asked; },
                                       absl::InfiniteDuration()));
    is_answered = true;
  });
  {
    TimedMutexLock lock(&mutex);
    is_asked = true;  // and waits without having unlocked
    EXPECT_TRUE(
        mutex.AwaitWithTimeout([&] { return is_answered; }, absl::Seconds(20)));
  }
  other.join();
}

TEST(TimedMutexTest, AWaitThatIsInVainEndsAfterItsTimeout) {
  TimedMutex mutex;
  const MonotonicTime begin = MonotonicTime::Now();
  TimedMutexLock lock(&mutex);
  EXPECT_FALSE(
      mutex.AwaitWithTimeout([] { return false; }, absl::Milliseconds(20)));
  EXPECT_GE(MonotonicTime::Now() - begin, absl::Milliseconds(20));
}

TEST(TimedMutexTest, WithoutTimeWhatIsTrueIsTrue) {
  TimedMutex mutex;
  TimedMutexLock lock(&mutex);
  for (const absl::Duration timeout :
       {absl::ZeroDuration(), absl::Seconds(-1), -absl::InfiniteDuration()}) {
    EXPECT_TRUE(mutex.AwaitWithTimeout([] { return true; }, timeout));
    EXPECT_FALSE(mutex.AwaitWithTimeout([] { return false; }, timeout));
  }
}

}  // namespace
}  // namespace sheaf
