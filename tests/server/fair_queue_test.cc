// SPDX-License-Identifier: Apache-2.0

#include "server/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::Pointee;

bool Anyone(const std::string&) { return true; }

std::vector<int> PopAll(FairQueue<int>& queue) {
  std::vector<int> items;
  while (const std::optional<int> item = queue.Pop(Anyone)) {
    items.push_back(*item);
  }
  return items;
}

TEST(FairQueueTest, CallersHaveTurnsAndACallersItemsLeaveInOrder) {
  FairQueue<int> queue;
  uint64_t ticket = 0;
  for (int i = 0; i < 4; ++i) queue.Push("many", ++ticket, i);
  queue.Push("few", ++ticket, 10);
  queue.Push("few", ++ticket, 11);
  EXPECT_THAT(PopAll(queue), ElementsAre(0, 10, 1, 11, 2, 3));
}

TEST(FairQueueTest, ACallerThatMayNotGoIsPassedOver) {
  FairQueue<int> queue;
  queue.Push("busy", 1, 1);
  queue.Push("idle", 2, 2);
  const auto is_idle = [](const std::string& name) { return name == "idle"; };
  EXPECT_THAT(queue.Next(is_idle), Pointee(2));
  EXPECT_EQ(queue.Pop(is_idle), 2);
  EXPECT_EQ(queue.Next(is_idle), nullptr);
  EXPECT_EQ(queue.Pop(is_idle), std::nullopt);
  EXPECT_EQ(queue.Pop(Anyone), 1);
}

TEST(FairQueueTest, WhatIsRemovedDoesNotLeave) {
  FairQueue<int> queue;
  queue.Push("a", 1, 1);
  queue.Push("a", 2, 2);
  queue.Push("b", 3, 3);
  EXPECT_EQ(queue.Remove(2), 2);
  EXPECT_EQ(queue.Remove(2), std::nullopt);
  EXPECT_EQ(queue.Remove(3), 3);
  EXPECT_EQ(queue.size(), 1u);
  EXPECT_THAT(PopAll(queue), ElementsAre(1));
  EXPECT_EQ(queue.Remove(1), std::nullopt);
  EXPECT_EQ(queue.size(), 0u);
  queue.Push("b", 4, 4);  // a caller that was forgotten
  EXPECT_THAT(PopAll(queue), ElementsAre(4));
}

// The definition: between two items of one caller, each other caller that waits
// all the time gets one.
TEST(FairQueueTest, NoCallerHasTwoTurnsWhileAnotherWaits) {
  constexpr int kCallers = 5, kOperations = 20'000;
  std::mt19937 random(1);
  FairQueue<int> queue;
  std::map<int, int> num_waiting;        // by caller
  std::map<int, int> others_since_turn;  // by waiting caller
  for (int i = 0; i < kOperations; ++i) {
    if (random() % 2 == 0) {
      const int caller = static_cast<int>(random() % kCallers);
      queue.Push(std::to_string(caller), i, caller);
      if (num_waiting[caller]++ == 0) others_since_turn[caller] = 0;
      continue;
    }
    const std::optional<int> caller = queue.Pop(Anyone);
    if (!caller.has_value()) continue;
    --num_waiting[*caller];
    for (int other = 0; other < kCallers; ++other) {
      if (other == *caller || num_waiting[other] == 0) continue;
      ASSERT_LT(++others_since_turn[other], kCallers);
    }
    others_since_turn[*caller] = 0;
  }
}

}  // namespace
}  // namespace sheaf
