// SPDX-License-Identifier: Apache-2.0

#include "engine/queue_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <random>
#include <string>

namespace sheaf {
namespace {

using ::testing::HasSubstr;

constexpr RequestId kNone = QueuePlaces::kNoRequest;

class QueuePlacesTest : public testing::Test {
 protected:
  // Takes a place for the next request, 1, 2, and so on.
  absl::StatusOr<RequestId> Take(const std::string& caller,
                                 int32_t weight = 1) {
    return places_.Take(++last_id_, caller, weight);
  }
  QueuePlaces places_{/*max_places=*/4};
  RequestId last_id_ = 0;
};

TEST_F(QueuePlacesTest, ASingleCallerIsRefusedOnceTheQueueIsFull) {
  for (int i = 0; i < 4; ++i) EXPECT_EQ(*Take("a"), kNone);
  const absl::Status refused = Take("a").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.message(),
            "4 requests wait already; this server queues at most 4");
  places_.Leave(2);
  EXPECT_EQ(*Take("a"), kNone);
  EXPECT_EQ(places_.size(), 4);
}

TEST_F(QueuePlacesTest, TheNewestOfTheLargestCallerGivesItsPlace) {
  Take("small").IgnoreError();
  for (int i = 0; i < 3; ++i) Take("large").IgnoreError();  // 2 to 4
  EXPECT_EQ(*Take("new"), 4u);
  EXPECT_EQ(places_.size(), 4);
  places_.Leave(4);  // has no place any more
  EXPECT_EQ(places_.size(), 4);
}

TEST_F(QueuePlacesTest, CallersDoNotTakePlacesFromEachOtherInTurn) {
  for (int i = 0; i < 4; ++i) Take("a").IgnoreError();
  EXPECT_TRUE(Take("b").ok());
  EXPECT_TRUE(Take("b").ok());
  for (const char* caller : {"a", "b", "a", "b"}) {
    EXPECT_FALSE(Take(caller).ok()) << caller;
  }
}

TEST_F(QueuePlacesTest, PlacesCountByWeight) {
  for (int i = 0; i < 4; ++i) Take("light").IgnoreError();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(Take("heavy", /*weight=*/3).ok()) << i;
  }
  EXPECT_FALSE(Take("heavy", /*weight=*/3).ok());
  EXPECT_FALSE(Take("light").ok());
}

// The definition: a full queue never grows, the request that loses its place is
// the newest of a caller with the most requests per weight, and afterwards the
// caller that has gained it has fewer per weight than the other had.
TEST(QueuePlacesPropertyTest, AnyOrderOfRequestsKeepsTheRules) {
  constexpr int32_t kMaxPlaces = 20;
  std::mt19937 rng(301);
  QueuePlaces places(kMaxPlaces);
  std::map<RequestId, int> caller_of;
  const auto weight = [](int caller) { return 1 + caller % 3; };
  const auto load = [&](int caller) {
    int count = 0;
    for (const auto& [id, owner] : caller_of) count += owner == caller;
    return static_cast<double>(count) / weight(caller);
  };
  for (RequestId id = 1; id <= 5'000; ++id) {
    SCOPED_TRACE(id);
    if (rng() % 4 == 0 && !caller_of.empty()) {
      auto it = caller_of.begin();
      std::advance(it, rng() % caller_of.size());
      places.Leave(it->first);
      caller_of.erase(it);
    }
    const int caller = static_cast<int>(rng() % 6);
    double most = 0;
    for (int other = 0; other < 6; ++other) most = std::max(most, load(other));
    const bool was_full = caller_of.size() == kMaxPlaces;
    const absl::StatusOr<RequestId> loser =
        places.Take(id, std::to_string(caller), weight(caller));
    if (!loser.ok()) {
      ASSERT_TRUE(was_full);
      ASSERT_GE(load(caller) + 1.0 / weight(caller), most - 1e-9);
      continue;
    }
    ASSERT_EQ(*loser != kNone, was_full);
    if (*loser != kNone) {
      const int other = caller_of.at(*loser);
      ASSERT_NEAR(load(other), most, 1e-9);
      for (const auto& [later, owner] : caller_of) {
        ASSERT_FALSE(later > *loser && owner == other);
      }
      caller_of.erase(*loser);
    }
    caller_of[id] = caller;
    ASSERT_TRUE(!was_full || load(caller) < most - 1e-9);
    ASSERT_EQ(places.size(), static_cast<int32_t>(caller_of.size()));
  }
}

}  // namespace
}  // namespace sheaf
