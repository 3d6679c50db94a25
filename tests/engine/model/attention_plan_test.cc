// SPDX-License-Identifier: Apache-2.0

#include "engine/model/attention_plan.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <tuple>
#include <vector>

#include "engine/kernels/kernels.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

using Share = AttentionPlan::Share;
using ::testing::IsEmpty;

constexpr int32_t kBlocks[] = {0};

// How often each (context, part, KV head) occurs in the shares of all members.
std::map<std::tuple<int32_t, int32_t, int32_t>, int> Coverage(
    AttentionPlan& plan, int32_t count) {
  std::map<std::tuple<int32_t, int32_t, int32_t>, int> coverage;
  for (int32_t member = 0; member < count; ++member) {
    for (const Share& share : plan.SharesOf(member, count)) {
      EXPECT_LT(share.first_kv_head, share.end_kv_head);
      for (int32_t head = share.first_kv_head; head < share.end_kv_head;
           ++head) {
        ++coverage[{share.context, share.part, head}];
      }
    }
  }
  return coverage;
}

int32_t NumParts(int32_t len) {
  return (len + kernels::kContextPart - 1) / kernels::kContextPart;
}

TEST(AttentionPlanTest, SharesCoverEveryPartAndHeadOnce) {
  std::mt19937 random(1);
  const auto from_1_to = [&](int32_t n) {
    return static_cast<int32_t>(random() % n) + 1;
  };
  for (int trial = 0; trial < 300; ++trial) {
    const int32_t num_kv_heads = from_1_to(8);
    const int32_t num_members = from_1_to(9);
    AttentionPlan plan(num_kv_heads, num_members);
    for (int step = 0; step < 2; ++step) {
      plan.Clear();
      const int32_t num_contexts = from_1_to(6);
      for (int32_t i = 0, row = 0; i < num_contexts; ++i) {
        const int32_t num_rows = from_1_to(4);
        plan.Add(kBlocks, from_1_to(i % 2 == 0 ? 40 : 1500), row, num_rows);
        row += num_rows;
      }
      // As a team that shrinks between the barriers of a step.
      for (int32_t count = num_members; count > 0; --count) {
        size_t num_expected = 0;
        for (const AttentionPlan::Context& context : plan.contexts()) {
          num_expected += NumParts(context.len) * num_kv_heads;
        }
        const auto coverage = Coverage(plan, count);
        EXPECT_EQ(coverage.size(), num_expected);
        for (const auto& [what, times] : coverage) {
          const auto [context, part, head] = what;
          ASSERT_LT(context, static_cast<int32_t>(plan.contexts().size()));
          EXPECT_LT(part, plan.contexts()[context].num_parts);
          EXPECT_LT(head, num_kv_heads);
          EXPECT_EQ(times, 1);
        }
      }
    }
  }
}

TEST(AttentionPlanTest, SharesAreInTheOrderOfMemoryAndOfEqualSize) {
  AttentionPlan plan(/*num_kv_heads=*/8, /*num_members=*/4);
  for (int32_t row = 0; row < 10; ++row) plan.Add(kBlocks, 600, row, 1);
  constexpr int64_t kAll = int64_t{10} * 600 * 8;
  std::tuple<int32_t, int32_t, int32_t> last = {-1, 0, 0};
  for (int32_t member = 0; member < 4; ++member) {
    int64_t work = 0;
    for (const Share& share : plan.SharesOf(member, 4)) {
      const std::tuple<int32_t, int32_t, int32_t> at = {
          share.context, share.part, share.first_kv_head};
      EXPECT_LT(last, at);
      last = at;
      work += std::min(kernels::kContextPart,
                       600 - share.part * kernels::kContextPart) *
              (share.end_kv_head - share.first_kv_head);
    }
    // Heads are not divided.
    EXPECT_NEAR(work, kAll / 4, kernels::kContextPart);
  }
}

TEST(AttentionPlanTest, ManyRowsOfOneContextBecomeSeveralContexts) {
  constexpr int32_t kMax = AttentionPlan::kMaxContextRows;
  AttentionPlan plan(/*num_kv_heads=*/2, /*num_members=*/1);
  plan.Add(kBlocks, kernels::kContextPart + 1, /*first_row=*/3, 2 * kMax + 5);
  ASSERT_EQ(plan.contexts().size(), 3u);
  int32_t row = 3;
  int64_t partial = 0;
  for (const AttentionPlan::Context& context : plan.contexts()) {
    EXPECT_EQ(context.first_row, row);
    EXPECT_EQ(context.first_partial, partial);
    EXPECT_EQ(context.num_parts, 2);
    EXPECT_LE(context.num_rows, kMax);
    row += context.num_rows;
    partial += 2 * context.num_rows;
  }
  EXPECT_EQ(row, 3 + 2 * kMax + 5);
  EXPECT_EQ(plan.num_partials(), partial);
}

TEST(AttentionPlanTest, AContextOfOnePartHasNoPartialResults) {
  AttentionPlan plan(/*num_kv_heads=*/2, /*num_members=*/1);
  plan.Add(kBlocks, kernels::kContextPart, /*first_row=*/0, /*num_rows=*/4);
  EXPECT_EQ(plan.num_partials(), 0);
}

TEST(AttentionPlanTest, AMemberThatIsLeftOutHasNoShare) {
  AttentionPlan plan(/*num_kv_heads=*/2, /*num_members=*/2);
  plan.Add(kBlocks, 10, /*first_row=*/0, /*num_rows=*/1);
  EXPECT_THAT(plan.SharesOf(/*member=*/1, /*count=*/1), IsEmpty());
  EXPECT_THAT(plan.SharesOf(/*member=*/1 << 30, /*count=*/2), IsEmpty());
}

TEST(AttentionPlanTest, ANewStepHasNewShares) {
  AttentionPlan plan(/*num_kv_heads=*/1, /*num_members=*/1);
  plan.Add(kBlocks, 10, /*first_row=*/0, /*num_rows=*/1);
  EXPECT_EQ(plan.SharesOf(0, 1).size(), 1u);
  plan.Clear();
  plan.Add(kBlocks, 10, /*first_row=*/0, /*num_rows=*/1);
  plan.Add(kBlocks, 20, /*first_row=*/1, /*num_rows=*/1);
  EXPECT_EQ(plan.SharesOf(0, 1).size(), 2u);
}

}  // namespace
}  // namespace sheaf
