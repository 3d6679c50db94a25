// SPDX-License-Identifier: Apache-2.0

#include "server/ops/watchdog.h"

#include <gtest/gtest.h>

#include "absl/synchronization/mutex.h"

namespace sheaf {
namespace {

// The test sets the time. The watchdog checks every millisecond and sees the
// test's time.
class WatchdogTest : public testing::Test {
 protected:
  WatchdogTest()
      : dog_({.patience = absl::Seconds(30),
              .interval = absl::Milliseconds(1),
              .now = [this] { return Now(); }}) {}
  ~WatchdogTest() override { dog_.Stop(); }

  void Start() {
    dog_.Start(
        [this] {
          absl::MutexLock lock(&mu_);
          ++num_looks_;
          return has_work_;
        },
        [this](bool is_stuck) {
          absl::MutexLock lock(&mu_);
          is_stuck_ = is_stuck;
          ++num_changes_;
        });
  }
  MonotonicTime Now() {
    absl::MutexLock lock(&mu_);
    return now_;
  }
  // Returns once two whole checks have seen it.
  void Set(bool has_work, absl::Duration later) {
    absl::MutexLock lock(&mu_);
    has_work_ = has_work;
    now_ += later;
    const int seen = num_looks_ + 3;
    const auto has_looked = [&] { return num_looks_ >= seen; };
    mu_.Await(absl::Condition(&has_looked));
  }
  bool is_stuck() {
    absl::MutexLock lock(&mu_);
    return is_stuck_;
  }

  absl::Mutex mu_;
  MonotonicTime now_;
  bool has_work_ = false;
  bool is_stuck_ = false;
  int num_looks_ = 0;
  int num_changes_ = 0;
  Watchdog dog_;
};

TEST_F(WatchdogTest, AnIdleEngineIsNotStuckHoweverLong) {
  Start();
  Set(/*has_work=*/false, absl::Hours(9));
  EXPECT_FALSE(is_stuck());
}

TEST_F(WatchdogTest, AnEngineWithWorkAndWithoutAStepIsStuck) {
  Start();
  Set(/*has_work=*/true, absl::ZeroDuration());
  Set(/*has_work=*/true, absl::Seconds(30));
  EXPECT_FALSE(is_stuck());
  Set(/*has_work=*/true, absl::Seconds(1));
  EXPECT_TRUE(is_stuck());
  EXPECT_EQ(num_changes_, 1);
}

TEST_F(WatchdogTest, AStepFreesIt) {
  Start();
  Set(/*has_work=*/true, absl::Seconds(31));
  EXPECT_TRUE(is_stuck());
  dog_.OnStep();
  Set(/*has_work=*/true, absl::Seconds(1));
  EXPECT_FALSE(is_stuck());
}

TEST_F(WatchdogTest, StopsWithoutHavingStarted) { dog_.Stop(); }

}  // namespace
}  // namespace sheaf
