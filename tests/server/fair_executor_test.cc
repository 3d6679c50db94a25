// SPDX-License-Identifier: Apache-2.0

#include "server/fair_executor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace sheaf {
namespace {

constexpr size_t kShort = 10'000, kLong = 1'000'000;

// Ends the wait of a test for something that does not happen.
constexpr std::chrono::seconds kPatience(20);

void Spin(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

// Works and yields until `is_done`. Returns false if that does not come true.
bool ReadUntil(FairExecutor& thread, const std::function<bool()>& is_done) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!is_done() && std::chrono::steady_clock::now() < end) {
    Spin(std::chrono::milliseconds(1));
    thread.Yield();
  }
  return is_done();
}

TEST(FairExecutorTest, AShortTextIsReadWhileALongOneOfTheSameCallerIs) {
  std::atomic<bool> is_short_read = false, was_in_time = false;
  {
    FairExecutor thread({.max_waiting = 10});
    ASSERT_TRUE(thread.TryRun({"a", kLong, [&] {
                                 was_in_time = ReadUntil(thread, [&] {
                                   return is_short_read.load();
                                 });
                               }}));
    ASSERT_TRUE(thread.TryRun({"a", kShort, [&] { is_short_read = true; }}));
  }
  EXPECT_TRUE(was_in_time);
}

TEST(FairExecutorTest, ALongTextIsReadWhileOneOfAnotherCallerIs) {
  std::atomic<bool> is_other_read = false, was_in_time = false;
  {
    FairExecutor thread({.max_waiting = 10});
    ASSERT_TRUE(thread.TryRun({"a", kLong, [&] {
                                 was_in_time = ReadUntil(thread, [&] {
                                   return is_other_read.load();
                                 });
                               }}));
    ASSERT_TRUE(thread.TryRun({"b", kLong, [&] { is_other_read = true; }}));
  }
  EXPECT_TRUE(was_in_time);
}

TEST(FairExecutorTest, ACallersLongTextsAreReadOneAfterAnother) {
  constexpr int kTexts = 5;
  std::string order;
  {
    FairExecutor thread({.max_waiting = kTexts});
    for (int i = 0; i < kTexts; ++i) {
      ASSERT_TRUE(thread.TryRun({"a", kLong, [&, i] {
                                   order += std::to_string(i);
                                   Spin(std::chrono::milliseconds(6));
                                   thread.Yield();
                                   order += std::to_string(i);
                                 }}));
    }
  }
  EXPECT_EQ(order, "0011223344");
}

TEST(FairExecutorTest, OneTextIsWorkedOnAtATime) {
  constexpr int kCallers = 20, kSlices = 3;
  std::atomic<int> num_working = 0, num_wrong = 0;
  {
    FairExecutor thread({.max_waiting = kCallers});
    for (int i = 0; i < kCallers; ++i) {
      const size_t bytes = i % 2 == 0 ? kShort : kLong;
      ASSERT_TRUE(thread.TryRun({std::to_string(i), bytes, [&] {
                                   for (int j = 0; j < kSlices; ++j) {
                                     if (++num_working != 1) ++num_wrong;
                                     Spin(std::chrono::milliseconds(6));
                                     --num_working;
                                     thread.Yield();
                                   }
                                 }}));
    }
  }
  EXPECT_EQ(num_wrong, 0);
}

TEST(FairExecutorTest, ShortTextsWithoutEndDoNotHoldALongOneUp) {
  constexpr int kManyTexts = 200, kSlices = 5;
  std::atomic<int> num_short = 0, num_short_when_done = 0;
  {
    std::function<void()> read;
    FairExecutor thread({.max_waiting = 10});
    // Each short text takes a slice and adds the next.
    read = [&] {
      Spin(std::chrono::milliseconds(6));
      if (++num_short < kManyTexts && num_short_when_done == 0) {
        thread.Run({"a", kShort, read});
      }
    };
    thread.Run({"a", kShort, read});
    thread.Run({"b", kLong, [&] {
                  for (int i = 0; i < kSlices; ++i) {
                    Spin(std::chrono::milliseconds(6));
                    thread.Yield();
                  }
                  num_short_when_done = num_short.load();
                }});
  }
  EXPECT_LT(num_short_when_done, kManyTexts / 2);
}

TEST(FairExecutorTest, ACallerThatFillsTheQueueGivesAPlaceToAnother) {
  std::atomic<bool> is_open = false;
  std::atomic<int> num_begun = 0;
  std::string read, refused;
  {
    FairExecutor thread({.max_waiting = 3});
    // While a text of each caller is being read, all others wait.
    for (const char* caller : {"greedy", "other"}) {
      ASSERT_TRUE(thread.TryRun({caller, kLong, [&] {
                                   ++num_begun;
                                   ReadUntil(thread,
                                             [&] { return is_open.load(); });
                                 }}));
    }
    while (num_begun < 2) {
    }
    const auto text = [&](const std::string& caller, char name) {
      return FairExecutor::Text{caller, kLong, [&, name] { read += name; },
                                [&, name] { refused += name; }};
    };
    for (char name : {'1', '2'}) {
      ASSERT_TRUE(thread.TryRun(text("greedy", name)));
    }
    FairExecutor::Text round = text("greedy", '3');
    round.refuse = nullptr;  // of a request that was accepted before
    thread.Run(std::move(round));
    EXPECT_FALSE(thread.TryRun(text("greedy", '4')));
    EXPECT_EQ(refused, "");
    EXPECT_TRUE(thread.TryRun(text("other", '5')));
    EXPECT_EQ(refused, "2");
    EXPECT_FALSE(thread.TryRun(text("other", '6')));
    is_open = true;
  }
  EXPECT_EQ(refused, "2");
  EXPECT_EQ(read.size(), 3u);
  EXPECT_EQ(read.find_first_of("246"), std::string::npos);
}

TEST(FairExecutorTest, AFullQueueRefusesAndAWithdrawnTextLeavesItsPlace) {
  std::atomic<bool> is_open = false, has_begun = false;
  std::atomic<int> num_read = 0;
  {
    FairExecutor thread({.max_waiting = 1});
    ASSERT_TRUE(thread.TryRun({"a", kLong, [&] {
                                 has_begun = true;
                                 while (!is_open) {
                                 }
                               }}));
    while (!has_begun) {
    }
    const auto read = [&] { ++num_read; };
    const auto ticket = thread.TryRun({"a", kLong, read});
    ASSERT_TRUE(ticket.has_value());
    EXPECT_FALSE(thread.TryRun({"b", kShort, read}).has_value());
    EXPECT_TRUE(thread.Withdraw(*ticket));
    EXPECT_FALSE(thread.Withdraw(*ticket));
    EXPECT_TRUE(thread.TryRun({"b", kShort, read}).has_value());
    is_open = true;
  }
  EXPECT_EQ(num_read, 1);
}

TEST(FairExecutorTest,
     LongTextsUnderWayHaveNoMoreThanTheirBytesUnlessOneIsAlone) {
  constexpr int kTexts = 30, kFit = 3;
  std::atomic<int> num_under_way = 0, most = 0;
  {
    FairExecutor thread({.max_waiting = 100, .max_long_bytes = kFit * kLong});
    for (int i = 0; i < kTexts; ++i) {
      const int size = i % 5 == 0 ? 2 * kFit : 1;  // in units of kLong
      ASSERT_TRUE(thread.TryRun({std::to_string(i), size * kLong, [&, size] {
                                   most = std::max(most.load(),
                                                   num_under_way += size);
                                   Spin(std::chrono::milliseconds(6));
                                   thread.Yield();
                                   num_under_way -= size;
                                 }}));
    }
  }
  EXPECT_EQ(most, 2 * kFit);
}

TEST(FairExecutorTest, ReadsWhatWasTakenBeforeItEnds) {
  constexpr int kTexts = 50;
  std::atomic<int> num_read = 0;
  {
    FairExecutor thread({.max_waiting = kTexts});
    for (int i = 0; i < kTexts; ++i) {
      ASSERT_TRUE(
          thread.TryRun({std::to_string(i % 3), i % 2 == 0 ? kShort : kLong,
                         [&] { ++num_read; }}));
    }
  }
  EXPECT_EQ(num_read, kTexts);
}

}  // namespace
}  // namespace sheaf
