// SPDX-License-Identifier: Apache-2.0

#include "engine/model/attention_plan.h"

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
using ::testing::Each;
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

// Plans of random windows, alone or with contexts of sources before them.
void AddRandomContexts(AttentionPlan& plan, std::mt19937& random) {
  const auto from_1_to = [&](int32_t n) {
    return static_cast<int32_t>(random() % n) + 1;
  };
  const int32_t num_sources = from_1_to(4);
  const bool is_merged = random() % 2 == 0;
  int32_t num_rows = 0;
  for (int32_t i = 0; i < num_sources; ++i) {
    const int32_t n = from_1_to(4);
    if (is_merged) {
      plan.Add(Attention::kCross, kBlocks, 0, from_1_to(700), num_rows, n);
    }
    num_rows += n;
  }
  for (int32_t row = 0; row < num_rows; ++row) {
    const int32_t begin =
        (from_1_to(40) - 1) * kernels::kPanel * static_cast<int>(random() % 2);
    plan.Add(Attention::kSelf, kBlocks, begin,
             begin + from_1_to(row % 2 == 0 ? 40 : 1500), row, 1);
  }
  plan.Finish();
}

TEST(AttentionPlanTest, SharesCoverEveryPartAndHeadOnce) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 300; ++trial) {
    const int32_t num_kv_heads = static_cast<int32_t>(random() % 8) + 1;
    const int32_t num_members = static_cast<int32_t>(random() % 9) + 1;
    AttentionPlan plan(num_kv_heads, num_members);
    for (int step = 0; step < 2; ++step) {
      plan.Clear();
      AddRandomContexts(plan, random);
      // As a team that shrinks between the barriers of a step.
      for (int32_t count = num_members; count > 0; --count) {
        size_t num_expected = 0;
        for (const AttentionPlan::Context& context : plan.contexts()) {
          num_expected += NumParts(context.end - context.begin) * num_kv_heads;
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

// The parts of a context follow each other without gaps, from its begin to its
// end, and each starts where the kernels can.
TEST(AttentionPlanTest, PartsCoverTheTokensOfAContext) {
  std::mt19937 random(2);
  for (int trial = 0; trial < 100; ++trial) {
    AttentionPlan plan(/*num_kv_heads=*/1, /*num_members=*/1);
    AddRandomContexts(plan, random);
    int32_t context = -1, end = 0;
    for (const Share& share : plan.SharesOf(0, 1)) {
      if (share.context != context) {
        context = share.context;
        end = plan.contexts()[context].begin;
      }
      EXPECT_EQ(plan.PartBegin(share), end);
      EXPECT_EQ(plan.PartBegin(share) % kernels::kPanel, 0);
      EXPECT_LT(plan.PartBegin(share), plan.PartEnd(share));
      end = plan.PartEnd(share);
      if (share.part + 1 == plan.contexts()[context].num_parts) {
        EXPECT_EQ(end, plan.contexts()[context].end);
      }
    }
  }
}

// Each row has a place for the result of each part of each of its contexts.
TEST(AttentionPlanTest, PartialResultsOfARowLieSideBySideAndNowhereElse) {
  std::mt19937 random(3);
  for (int trial = 0; trial < 100; ++trial) {
    AttentionPlan plan(/*num_kv_heads=*/1, /*num_members=*/1);
    AddRandomContexts(plan, random);
    std::vector<int> uses(plan.num_partials());
    for (const AttentionPlan::Context& context : plan.contexts()) {
      for (int32_t i = 0; i < context.num_rows; ++i) {
        const AttentionPlan::RowParts& row =
            plan.row_parts()[context.first_row + i];
        ASSERT_LE(context.first_part + context.num_parts, row.count);
        if (row.count == 1) continue;
        for (int32_t part = 0; part < context.num_parts; ++part) {
          ++uses.at(row.first + context.first_part + part);
        }
      }
    }
    EXPECT_THAT(uses, Each(1));
  }
}

TEST(AttentionPlanTest, SharesAreInTheOrderOfMemoryAndOfEqualSize) {
  AttentionPlan plan(/*num_kv_heads=*/8, /*num_members=*/4);
  for (int32_t row = 0; row < 10; ++row) {
    plan.Add(Attention::kSelf, kBlocks, 0, 600, row, 1);
  }
  plan.Finish();
  constexpr int64_t kAll = int64_t{10} * 600 * 8;
  std::tuple<int32_t, int32_t, int32_t> last = {-1, 0, 0};
  for (int32_t member = 0; member < 4; ++member) {
    int64_t work = 0;
    for (const Share& share : plan.SharesOf(member, 4)) {
      const std::tuple<int32_t, int32_t, int32_t> at = {
          share.context, share.part, share.first_kv_head};
      EXPECT_LT(last, at);
      last = at;
      work += (plan.PartEnd(share) - plan.PartBegin(share)) *
              (share.end_kv_head - share.first_kv_head);
    }
    // Heads are not divided.
    EXPECT_NEAR(work, kAll / 4, kernels::kContextPart);
  }
}

TEST(AttentionPlanTest, ManyRowsOfOneContextBecomeSeveralContexts) {
  constexpr int32_t kMax = AttentionPlan::kMaxContextRows;
  AttentionPlan plan(/*num_kv_heads=*/2, /*num_members=*/1);
  plan.Add(Attention::kCross, kBlocks, 0, kernels::kContextPart + 1,
           /*first_row=*/0, 2 * kMax + 5);
  plan.Finish();
  ASSERT_EQ(plan.contexts().size(), 3u);
  int32_t row = 0;
  for (const AttentionPlan::Context& context : plan.contexts()) {
    EXPECT_EQ(context.first_row, row);
    EXPECT_EQ(context.num_parts, 2);
    EXPECT_LE(context.num_rows, kMax);
    row += context.num_rows;
  }
  EXPECT_EQ(row, 2 * kMax + 5);
  EXPECT_EQ(plan.num_partials(), 2 * row);
}

TEST(AttentionPlanTest, ARowOfOnePartHasNoPartialResults) {
  AttentionPlan plan(/*num_kv_heads=*/2, /*num_members=*/1);
  plan.Add(Attention::kCross, kBlocks, 0, kernels::kContextPart,
           /*first_row=*/0, /*num_rows=*/4);
  plan.Finish();
  EXPECT_EQ(plan.num_partials(), 0);
}

TEST(AttentionPlanTest, AMemberThatIsLeftOutHasNoShare) {
  AttentionPlan plan(/*num_kv_heads=*/2, /*num_members=*/2);
  plan.Add(Attention::kSelf, kBlocks, 0, 10, /*first_row=*/0, /*num_rows=*/1);
  EXPECT_THAT(plan.SharesOf(/*member=*/1, /*count=*/1), IsEmpty());
  EXPECT_THAT(plan.SharesOf(/*member=*/1 << 30, /*count=*/2), IsEmpty());
}

TEST(AttentionPlanTest, ANewStepHasNewShares) {
  AttentionPlan plan(/*num_kv_heads=*/1, /*num_members=*/1);
  plan.Add(Attention::kSelf, kBlocks, 0, 10, /*first_row=*/0, /*num_rows=*/1);
  EXPECT_EQ(plan.SharesOf(0, 1).size(), 1u);
  plan.Clear();
  plan.Add(Attention::kSelf, kBlocks, 0, 10, /*first_row=*/0, /*num_rows=*/1);
  plan.Add(Attention::kSelf, kBlocks, 0, 20, /*first_row=*/1, /*num_rows=*/1);
  EXPECT_EQ(plan.SharesOf(0, 1).size(), 2u);
}

}  // namespace
}  // namespace sheaf
