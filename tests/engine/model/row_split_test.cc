// SPDX-License-Identifier: Apache-2.0

#include "engine/model/row_split.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kMiB = 1 << 20;

std::vector<int32_t> Cut(const std::vector<int64_t>& work, int32_t num_parts) {
  std::vector<int32_t> ends = {7, 7};  // of an earlier cut
  CutEvenly(work, num_parts, ends);
  return ends;
}

TEST(CutEvenlyTest, EqualItemsGiveEqualRanges) {
  EXPECT_THAT(Cut({5, 5, 5, 5}, 2), ElementsAre(2, 4));
  EXPECT_THAT(Cut({1, 1, 1, 1, 1, 1}, 3), ElementsAre(2, 4, 6));
  EXPECT_THAT(Cut({3}, 1), ElementsAre(1));
}

TEST(CutEvenlyTest, LongItemsCountForMore) {
  EXPECT_THAT(Cut({6, 1, 1, 1, 1, 1, 1}, 2), ElementsAre(1, 7));
  EXPECT_THAT(Cut({1, 1, 1, 1, 1, 1, 6}, 2), ElementsAre(6, 7));
}

TEST(CutEvenlyTest, FewItemsGiveFewRanges) {
  EXPECT_THAT(Cut({3}, 4), ElementsAre(1));
  EXPECT_THAT(Cut({3, 3}, 4), ElementsAre(1, 2));
}

TEST(CutEvenlyTest, NoRangeIsEmptyOrMoreThanAnItemAboveItsShare) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::vector<int64_t> work(1 + random() % 40);
    int64_t all = 0, largest = 0;
    for (int64_t& each : work) {
      each = 1 + static_cast<int64_t>(random() % (random() % 8 == 0 ? 900 : 9));
      all += each;
      largest = std::max(largest, each);
    }
    const int32_t num_parts = 1 + static_cast<int32_t>(random() % 6);
    const std::vector<int32_t> ends = Cut(work, num_parts);
    ASSERT_LE(static_cast<int32_t>(ends.size()), num_parts);
    ASSERT_EQ(ends.back(), static_cast<int32_t>(work.size()));
    int32_t begin = 0;
    for (const int32_t end : ends) {
      ASSERT_LT(begin, end);
      int64_t part = 0;
      for (; begin < end; ++begin) part += work[begin];
      EXPECT_LE(part, all / num_parts + largest + 1);
    }
  }
}

TEST(PaysToSplitRowsTest, SmallWeightsNeedOneRowAndLargerOnesMore) {
  EXPECT_FALSE(PaysToSplitRows(4 * kMiB, /*rows_per_member=*/0));
  EXPECT_TRUE(PaysToSplitRows(4 * kMiB, /*rows_per_member=*/1));
  EXPECT_FALSE(PaysToSplitRows(12 * kMiB, /*rows_per_member=*/1));
  EXPECT_TRUE(PaysToSplitRows(12 * kMiB, /*rows_per_member=*/3));
  EXPECT_FALSE(PaysToSplitRows(32 * kMiB, /*rows_per_member=*/100));
}

}  // namespace
}  // namespace sheaf
