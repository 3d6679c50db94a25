// SPDX-License-Identifier: Apache-2.0

#include "engine/kv_block_pool.h"

#include <random>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;

KvPoolShape Shape(int32_t num_blocks, int32_t self_block_tokens,
                  int32_t cross_block_tokens = 8) {
  return {num_blocks, /*block_bytes=*/64, self_block_tokens,
          cross_block_tokens};
}

TEST(BlockTableTest, GrowsByWholeBlocks) {
  KvBlockPool pool(Shape(/*num_blocks=*/4, /*self_block_tokens=*/16));
  BlockTable table(pool, Attention::kSelf);
  EXPECT_TRUE(table.GrowTo(17));
  EXPECT_THAT(table.ids(), ElementsAre(0, 1));
  EXPECT_TRUE(table.GrowTo(32));  // Still fits, so nothing changes.
  EXPECT_THAT(table.ids(), ElementsAre(0, 1));
}

TEST(BlockTableTest, FailingToGrowChangesNothing) {
  KvBlockPool pool(Shape(/*num_blocks=*/2, /*self_block_tokens=*/16));
  BlockTable table(pool, Attention::kSelf);
  ASSERT_TRUE(table.GrowTo(16));
  EXPECT_FALSE(table.GrowTo(16 * 3));
  EXPECT_THAT(table.ids(), ElementsAre(0));
  EXPECT_EQ(pool.num_free(), 1);
}

TEST(BlockTableTest, SharedBlocksReturnWithTheirLastHolder) {
  KvBlockPool pool(Shape(/*num_blocks=*/2, /*self_block_tokens=*/16));
  BlockTable parent(pool, Attention::kSelf);
  ASSERT_TRUE(parent.GrowTo(32));
  BlockTable beam(pool, Attention::kSelf);
  beam.SharePrefixOf(parent, /*num_tokens=*/16);
  parent.Clear();
  EXPECT_EQ(pool.num_free(), 1);
  beam.Clear();
  EXPECT_EQ(pool.num_free(), 2);
}

TEST(BlockTableTest, ReusesTheLastBlockOfAReleasedTableFirst) {
  KvBlockPool pool(Shape(/*num_blocks=*/3, /*self_block_tokens=*/16));
  BlockTable released(pool, Attention::kSelf);
  ASSERT_TRUE(released.GrowTo(48));
  released.Clear();
  BlockTable next(pool, Attention::kSelf);
  ASSERT_TRUE(next.GrowTo(32));
  EXPECT_THAT(next.ids(), ElementsAre(2, 1));
}

TEST(BlockTableTest, TokensOfABlockDependOnTheAttention) {
  KvBlockPool pool(Shape(/*num_blocks=*/8, /*self_block_tokens=*/16,
                         /*cross_block_tokens=*/8));
  BlockTable self(pool, Attention::kSelf), cross(pool, Attention::kCross);
  ASSERT_TRUE(self.GrowTo(17));
  ASSERT_TRUE(cross.GrowTo(17));
  EXPECT_EQ(pool.num_held(Attention::kSelf), 2);
  EXPECT_EQ(pool.num_held(Attention::kCross), 3);
}

TEST(KvBlockPoolTest, CountsASharedBlockOnce) {
  KvBlockPool pool(Shape(/*num_blocks=*/4, /*self_block_tokens=*/16));
  BlockTable parent(pool, Attention::kSelf);
  ASSERT_TRUE(parent.GrowTo(32));
  BlockTable beam(pool, Attention::kSelf);
  beam.SharePrefixOf(parent, /*num_tokens=*/32);
  EXPECT_EQ(pool.num_held(Attention::kSelf), 2);
}

TEST(BlockTableDeathTest, RefusesToShareAPartlyFilledBlock) {
  KvBlockPool pool(Shape(/*num_blocks=*/2, /*self_block_tokens=*/16));
  BlockTable table(pool, Attention::kSelf);
  ASSERT_TRUE(table.GrowTo(32));
  BlockTable beam(pool, Attention::kSelf);
  EXPECT_DEATH(beam.SharePrefixOf(table, 17), "check failed");
}

TEST(KvBlockPoolTest, AnyOrderOfOperationsKeepsTheInvariants) {
  KvBlockPool pool(Shape(/*num_blocks=*/64, /*self_block_tokens=*/4,
                         /*cross_block_tokens=*/4));
  struct Held {
    Attention attention;
    BlockTable table;
  };
  std::vector<Held> tables;
  std::mt19937 rng(301);
  for (int step = 0; step < 10'000; ++step) {
    SCOPED_TRACE(step);
    if (tables.empty() || rng() % 3 == 0) {
      const Attention attention =
          rng() % 2 ? Attention::kSelf : Attention::kCross;
      tables.push_back({attention, BlockTable(pool, attention)});
    }
    Held& held = tables[rng() % tables.size()];
    const int32_t num_full = static_cast<int32_t>(held.table.ids().size());
    switch (rng() % 4) {
      case 0:
      case 1:
        (void)held.table.GrowTo(rng() % 80);
        break;
      case 2: {
        Held beam = {held.attention, BlockTable(pool, held.attention)};
        (void)beam.table.GrowTo(rng() % 8);  // and releases its blocks
        beam.table.SharePrefixOf(held.table, 4 * (rng() % (num_full + 1)));
        tables.push_back(std::move(beam));
        break;
      }
      case 3:
        held = std::move(tables.back());
        tables.pop_back();
        break;
    }
    pool.CheckConsistency();
  }
  tables.clear();
  EXPECT_EQ(pool.num_free(), pool.num_blocks());
}

}  // namespace
}  // namespace sheaf
