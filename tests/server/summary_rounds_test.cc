// SPDX-License-Identifier: Apache-2.0

#include "server/summary_rounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sheaf {
namespace {

using ::testing::ElementsAre;
// `num` lists of `ids`.
TokenLists Sources(int num, const std::vector<int32_t>& ids) {
  TokenLists sources;
  for (int i = 0; i < num; ++i) sources.push_back(ids);
  return sources;
}

class SummaryRoundsTest : public testing::Test {
 protected:
  void SetUp() override {
    auto loaded = Tokenizer::Load(SHEAF_MODELS_DIR "/sheaf-small",
                                  /*vocab_size=*/8064);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    tokenizer_ = *std::move(loaded);
  }

  SummaryRounds Rounds(int32_t num_parts) {
    AnswerPlan plan;
    plan.num_segments = num_parts;
    plan.num_input_tokens = 10 * num_parts;
    plan.tokenizer = tokenizer_.get();
    return SummaryRounds(std::move(plan));
  }
  static Hypothesis Summary(const std::string& text,
                            FinishReason reason = FinishReason::kEos) {
    Hypothesis hypothesis;
    for (unsigned char c : text) hypothesis.tokens.push_back(3 + c);
    hypothesis.finish_reason = reason;
    return hypothesis;
  }

  std::unique_ptr<const Tokenizer> tokenizer_;
};

TEST_F(SummaryRoundsTest, TheSummariesInOrderAreTheNextText) {
  SummaryRounds rounds = Rounds(3);
  rounds.FinishPart(2, Summary("Three. "));
  rounds.FinishPart(0, Summary("One."));
  EXPECT_FALSE(rounds.is_round_done());
  rounds.FinishPart(1, Summary(""));
  EXPECT_TRUE(rounds.is_round_done());
  EXPECT_EQ(rounds.TakeText(), "One. Three.");
}

TEST_F(SummaryRoundsTest, ARoundOfOnePartIsTheLastAndAllRoundsCount) {
  SummaryRounds rounds = Rounds(4);
  for (int32_t i = 0; i < 4; ++i) rounds.FinishPart(i, Summary("abc"));
  rounds.TakeText();
  EXPECT_FALSE(rounds.Begin(Sources(2, {5, 6, 7})));
  EXPECT_EQ(rounds.first_segment(), 4);
  rounds.FinishPart(5, Summary("b", FinishReason::kLength));
  rounds.FinishPart(4, Summary("a"));
  EXPECT_EQ(rounds.TakeText(), "a b");
  EXPECT_TRUE(rounds.Begin(Sources(1, {5, 6})));
  EXPECT_EQ(rounds.first_segment(), 6);
  const AnswerPlan& plan = rounds.plan();
  EXPECT_EQ(plan.num_segments, 1);
  EXPECT_EQ(plan.gaps, Gaps({"", ""}));
  EXPECT_EQ(plan.num_input_tokens, 40 + 6 + 2);
  EXPECT_EQ(plan.earlier.num_segments, 6);
  EXPECT_EQ(plan.earlier.num_output_tokens, 4 * 3 + 2);
  EXPECT_EQ(plan.earlier.finish_reason, FinishReason::kLength);
}

TEST_F(SummaryRoundsTest, ARoundThatHasNotFewerPartsIsTheLast) {
  SummaryRounds rounds = Rounds(2);
  for (int32_t i = 0; i < 2; ++i) rounds.FinishPart(i, Summary("long"));
  rounds.TakeText();
  EXPECT_TRUE(rounds.Begin(Sources(2, {5})));
  EXPECT_EQ(rounds.plan().gaps, Gaps({"", " ", ""}));
}

}  // namespace
}  // namespace sheaf
