// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/timers.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "absl/synchronization/mutex.h"

namespace sheaf {
namespace {

// Records the order of the calls.
class Calls {
 public:
  void Add(int name) {
    absl::MutexLock lock(&mu_);
    names_.push_back(name);
  }
  std::vector<int> Await(size_t num_calls) {
    const auto has_come = [&] { return names_.size() >= num_calls; };
    absl::MutexLock lock(&mu_, absl::Condition(&has_come));
    return names_;
  }

 private:
  absl::Mutex mu_;
  std::vector<int> names_;
};

class Target final : public Timed {
 public:
  Target(int name, Calls* calls) : name_(name), calls_(calls) {}
  void OnTimer() override {
    called_at = MonotonicTime::Now();
    calls_->Add(name_);
  }
  MonotonicTime called_at;  // may be read after the call was awaited

 private:
  const int name_;
  Calls* const calls_;
};

constexpr absl::Duration kShort = absl::Milliseconds(20);
constexpr absl::Duration kNever = absl::Hours(1);

class TimersTest : public testing::Test {
 protected:
  std::shared_ptr<Target> MakeTarget(int name) {
    return std::make_shared<Target>(name, &calls_);
  }
  const MonotonicTime begin_ = MonotonicTime::Now();
  Calls calls_;
  Timers timers_;
};

TEST_F(TimersTest, CallsInTheOrderOfTheTimesAndNotBeforeThem) {
  const auto last = MakeTarget(3), first = MakeTarget(1),
             second = MakeTarget(2);
  timers_.Set(begin_ + 3 * kShort, last);
  timers_.Set(begin_ + kShort, first);
  timers_.Set(begin_ + 2 * kShort, second);
  EXPECT_EQ(calls_.Await(3), (std::vector<int>{1, 2, 3}));
  EXPECT_GE(first->called_at, begin_ + kShort);
  EXPECT_GE(last->called_at, begin_ + 3 * kShort);
}

TEST_F(TimersTest, ATimeThatHasPassedIsNow) {
  const auto late = MakeTarget(1), never = MakeTarget(2);
  timers_.Set(begin_ + kNever, never);
  timers_.Set(MonotonicTime::InfinitePast(), late);
  EXPECT_EQ(calls_.Await(1), std::vector<int>{1});
}

TEST_F(TimersTest, NeitherACancelledTimerNorATargetThatIsGoneIsCalled) {
  const auto cancelled = MakeTarget(1), last = MakeTarget(3);
  auto gone = MakeTarget(2);
  const Timers::Timer timer = timers_.Set(begin_ + 2 * kShort, cancelled);
  timers_.Set(begin_ + 2 * kShort, gone);
  timers_.Set(begin_ + 3 * kShort, last);
  timers_.Cancel(timer);
  gone.reset();
  EXPECT_EQ(calls_.Await(1), std::vector<int>{3});
  timers_.Cancel(timer);  // changes nothing
}

TEST_F(TimersTest, TimersOfTheSameTimeAreSeveral) {
  const auto one = MakeTarget(1), two = MakeTarget(2);
  const MonotonicTime time = begin_ + kNever;
  const Timers::Timer timer = timers_.Set(time, one);
  timers_.Set(time, two);
  timers_.Cancel(timer);
  timers_.FireAll();
  EXPECT_EQ(calls_.Await(1), std::vector<int>{2});
}

TEST_F(TimersTest, FireAllCallsAllOnce) {
  const auto one = MakeTarget(1), two = MakeTarget(2);
  timers_.Set(begin_ + kNever, one);
  timers_.Set(begin_ + 2 * kNever, two);
  timers_.FireAll();
  EXPECT_EQ(calls_.Await(2), (std::vector<int>{1, 2}));
  timers_.FireAll();
  const auto three = MakeTarget(3);
  timers_.Set(MonotonicTime::Now(), three);
  EXPECT_EQ(calls_.Await(3), (std::vector<int>{1, 2, 3}));
}

}  // namespace
}  // namespace sheaf
