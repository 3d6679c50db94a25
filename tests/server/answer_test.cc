// SPDX-License-Identifier: Apache-2.0

#include "server/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sheaf {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<Hypothesis> Finished(FinishReason reason, float score = 0) {
  Hypothesis hypothesis;
  hypothesis.finish_reason = reason;
  hypothesis.score = score;
  return {hypothesis};
}

class AnswerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto loaded = Tokenizer::Load(SHEAF_MODELS_DIR "/sheaf-small",
                                  /*vocab_size=*/8064);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    tokenizer_ = *std::move(loaded);
  }

  AnswerPlan Plan(std::vector<std::string> gaps,
                  std::vector<std::string> stop = {}) {
    AnswerPlan plan;
    plan.gaps = Gaps();
    plan.num_segments = static_cast<int32_t>(gaps.size()) - 1;
    for (const std::string& gap : gaps) plan.gaps.push_back(gap);
    plan.stop = std::move(stop);
    plan.tokenizer = tokenizer_.get();
    return plan;
  }
  // Byte tokens: one per character, whatever the vocabulary.
  static std::vector<int32_t> Tokens(const std::string& text) {
    std::vector<int32_t> ids;
    for (unsigned char c : text) ids.push_back(3 + c);
    return ids;
  }

  static std::vector<Hypothesis> Says(const std::string& text) {
    std::vector<Hypothesis> hypotheses = Finished(FinishReason::kEos);
    hypotheses[0].tokens = Tokens(text);
    return hypotheses;
  }
  // The plan of a translation with one segment, in which nothing must survive.
  AnswerPlan Checked(const std::string& source, bool is_streamed) {
    auto repairs = std::make_shared<RepairPlan>();
    repairs->text = source;
    repairs->sources = {{0, source.size()}};
    repairs->segments.resize(1);
    repairs->may_repair_all = true;
    repairs->source_language = "en";
    repairs->target_language = "de";
    repairs->source_tokenizer = repairs->target_tokenizer = tokenizer_.get();
    repairs->max_source_tokens = 128;
    AnswerPlan plan = Plan({"", ""});
    plan.repairs = std::move(repairs);
    plan.is_streamed = is_streamed;
    return plan;
  }

  std::unique_ptr<const Tokenizer> tokenizer_;
};

TEST_F(AnswerTest, SegmentsComeInTheOrderOfTheSource) {
  Answer answer(Plan({"<", "|", ">"}));
  EXPECT_EQ(answer.TakePart().text, "<");
  answer.AddTokens(1, Tokens("two"));
  answer.FinishSegment(1, Finished(FinishReason::kEos));
  EXPECT_EQ(answer.TakePart().text, "");
  answer.AddTokens(0, Tokens("o"));
  EXPECT_EQ(answer.TakePart().text, "o");
  answer.AddTokens(0, Tokens("ne"));
  EXPECT_FALSE(answer.is_complete());
  answer.FinishSegment(0, Finished(FinishReason::kEos));
  EXPECT_TRUE(answer.is_complete());
  EXPECT_EQ(answer.TakePart().text, "ne|two>");
  EXPECT_EQ(answer.summary().num_output_tokens, 6);
  EXPECT_EQ(answer.summary().num_segments, 2);
}

TEST_F(AnswerTest, NoChunkEndsWithinACharacter) {
  Answer answer(Plan({"", ""}));
  const std::vector<int32_t> tokens = Tokens("\xC3\xA4");
  answer.AddTokens(0, {tokens.data(), 1});
  EXPECT_EQ(answer.TakePart().text, "");
  answer.AddTokens(0, {tokens.data() + 1, 1});
  answer.FinishSegment(0, Finished(FinishReason::kEos));
  EXPECT_EQ(answer.TakePart().text, "\xC3\xA4");
}

TEST_F(AnswerTest, AStopSequenceEndsTheWholeText) {
  Answer answer(Plan({"", " ", "!"}, {"xyz"}));
  answer.AddTokens(1, Tokens("later"));
  answer.AddTokens(0, Tokens("abx"));
  EXPECT_EQ(answer.TakePart().text, "ab");
  answer.AddTokens(0, Tokens("yzcd"));
  answer.AddTokens(0, Tokens("ef"));  // ignored after the stop
  answer.FinishSegment(0, Finished(FinishReason::kEos, /*score=*/-2));
  EXPECT_TRUE(answer.is_complete());
  EXPECT_FALSE(answer.is_finished());
  const AnswerPart rest = answer.TakePart();
  EXPECT_EQ(rest.text, "");
  EXPECT_EQ(rest.tokens, Tokens("yz"));
  EXPECT_EQ(answer.summary().finish_reason, FinishReason::kStopSequence);
  EXPECT_EQ(answer.summary().num_output_tokens, 5);
  EXPECT_EQ(answer.summary().score, -2);
}

TEST_F(AnswerTest, AStopSequenceMayLieAcrossSegments) {
  for (const auto& [stop, text] :
       {std::pair("\n", "ab"), {"b\nc", "a"}, {"\nc", "ab"}, {"d!", "ab\nc"}}) {
    Answer answer(Plan({"", "\n", "!"}, {stop}));
    std::string shown;
    answer.AddTokens(0, Tokens("ab"));
    shown += answer.TakePart().text;
    answer.AddTokens(1, Tokens("cd"));
    answer.FinishSegment(0, Finished(FinishReason::kEos));
    shown += answer.TakePart().text;
    answer.FinishSegment(1, Finished(FinishReason::kEos));
    shown += answer.TakePart().text;
    EXPECT_EQ(shown, text) << stop;
    EXPECT_TRUE(answer.is_complete());
    EXPECT_EQ(answer.summary().finish_reason, FinishReason::kStopSequence);
  }
}

TEST_F(AnswerTest, WhatOnlyBeganAStopSequenceIsShown) {
  Answer answer(Plan({"", "\n", ""}, {"b\nd", "\nce"}));
  answer.AddTokens(0, Tokens("ab"));
  answer.FinishSegment(0, Finished(FinishReason::kEos));
  EXPECT_EQ(answer.TakePart().text, "a");
  answer.AddTokens(1, Tokens("c"));
  answer.FinishSegment(1, Finished(FinishReason::kEos));
  EXPECT_EQ(answer.TakePart().text, "b\nc");
  EXPECT_EQ(answer.summary().finish_reason, FinishReason::kEos);
}

TEST_F(AnswerTest, ASegmentThatWasCutMakesTheAnswerCut) {
  Answer answer(Plan({"", "", ""}));
  answer.FinishSegment(0, Finished(FinishReason::kLength));
  answer.FinishSegment(1, Finished(FinishReason::kEos));
  EXPECT_EQ(answer.summary().finish_reason, FinishReason::kLength);
}

TEST_F(AnswerTest, ASegmentThatLoopedSaysSoUnlessOneWasCut) {
  Answer looped(Plan({"", "", ""}));
  looped.FinishSegment(0, Finished(FinishReason::kRepetition));
  looped.FinishSegment(1, Finished(FinishReason::kEos));
  EXPECT_EQ(looped.summary().finish_reason, FinishReason::kRepetition);
  Answer cut(Plan({"", "", ""}));
  cut.FinishSegment(0, Finished(FinishReason::kLength));
  cut.FinishSegment(1, Finished(FinishReason::kRepetition));
  EXPECT_EQ(cut.summary().finish_reason, FinishReason::kLength);
}

TEST_F(AnswerTest, TheNthOtherJoinsTheNthHypothesesOrTheLast) {
  const auto hypothesis = [](const std::string& text, float score) {
    return Hypothesis{Tokens(text), score, FinishReason::kEos};
  };
  AnswerPlan plan = Plan({"<", "|", ">"}, {"!"});
  plan.num_hypotheses = 4;
  Answer answer(std::move(plan));
  answer.AddTokens(1, Tokens("x"));
  answer.FinishSegment(1, {hypothesis("x", -1), hypothesis("y", -2)});
  answer.AddTokens(0, Tokens("a"));
  answer.FinishSegment(0, {hypothesis("a", -0.25), hypothesis("b!c", -0.5),
                           hypothesis("d", -0.75)});
  EXPECT_EQ(answer.TakePart().text, "<a|x>");
  EXPECT_EQ(answer.summary().score, -1.25);
  const std::vector<FinishedPart>& others = answer.summary().others;
  ASSERT_EQ(others.size(), 2);  // because no segment has four
  EXPECT_EQ(others[0].text, "<b|y>");
  EXPECT_EQ(others[0].score, -2.5);
  EXPECT_EQ(others[0].tokens, Tokens("b!cy"));
  EXPECT_EQ(others[1].text, "<d|y>");
}

TEST_F(AnswerTest, EarlierRoundsCountInUsageAndReason) {
  AnswerPlan plan = Plan({"", ""});
  plan.earlier = {.num_segments = 5,
                  .num_output_tokens = 70,
                  .finish_reason = FinishReason::kLength};
  Answer answer(std::move(plan));
  answer.AddTokens(0, Tokens("abc"));
  answer.FinishSegment(0, Finished(FinishReason::kEos));
  EXPECT_EQ(answer.summary().num_segments, 6);
  EXPECT_EQ(answer.summary().num_output_tokens, 73);
  EXPECT_EQ(answer.summary().finish_reason, FinishReason::kLength);
}

TEST_F(AnswerTest, WhatWasHeldBackForAStopComesAtTheEnd) {
  Answer answer(Plan({"", ""}, {"ab!"}));
  answer.AddTokens(0, Tokens("ab"));
  EXPECT_EQ(answer.TakePart().text, "");
  answer.FinishSegment(0, Finished(FinishReason::kEos));
  EXPECT_EQ(answer.TakePart().text, "ab");
  EXPECT_EQ(answer.summary().finish_reason, FinishReason::kEos);
}

constexpr char kLoop[] = "das Haus ist das Haus ist das Haus ist";

TEST_F(AnswerTest, WhatIsStreamedIsCheckedOnceItIsWhole) {
  Answer answer(Checked("The house is old.", /*is_streamed=*/true));
  answer.AddTokens(0, Tokens(kLoop));
  EXPECT_EQ(answer.TakePart().text, kLoop);
  answer.FinishSegment(0, Says(kLoop));
  EXPECT_THAT(answer.TakeDecodes(), IsEmpty());
  EXPECT_TRUE(answer.is_finished());
  EXPECT_EQ(answer.summary().checks.of(SegmentCheck::kCoverageFlagged), 1);
  EXPECT_EQ(answer.summary().checks.num_flagged, 1);
}

TEST_F(AnswerTest, WhatIsNotStreamedMayBeDecodedAgain) {
  Answer answer(Checked("The house is old.", /*is_streamed=*/false));
  answer.AddTokens(0, Tokens(kLoop));
  EXPECT_EQ(answer.TakePart().text, "");
  answer.FinishSegment(0, Says(kLoop));
  const std::vector<Answer::DecodeGroup> again = answer.TakeDecodes();
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_TRUE(again[0].is_other_search);
  EXPECT_FALSE(answer.is_finished());
  answer.FinishSegment(1, Says("Das Haus ist alt."));
  EXPECT_TRUE(answer.is_finished());
  EXPECT_EQ(answer.TakePart().text, "Das Haus ist alt.");
  EXPECT_EQ(answer.summary().checks.of(SegmentCheck::kCoverageRepaired), 1);
  EXPECT_EQ(answer.summary().checks.num_flagged, 0);
}

TEST_F(AnswerTest, ATranslationWithoutWarningsIsTheSameInBothWays) {
  for (const bool is_streamed : {true, false}) {
    Answer answer(Checked("The house is old.", is_streamed));
    answer.AddTokens(0, Tokens("Das Haus ist alt."));
    answer.FinishSegment(0, Says("Das Haus ist alt."));
    EXPECT_THAT(answer.TakeDecodes(), IsEmpty());
    ASSERT_TRUE(answer.is_complete());
    EXPECT_EQ(answer.TakePart().text, "Das Haus ist alt.");
    EXPECT_EQ(answer.summary().num_output_tokens, 17);
    EXPECT_EQ(answer.summary().checks.num_flagged, 0);
  }
}

TEST_F(AnswerTest, NothingIsExpectedOfAStreamThatAStopSequenceEnded) {
  AnswerPlan plan = Checked("The house is old.", /*is_streamed=*/true);
  plan.stop = {"ist"};
  Answer answer(std::move(plan));
  answer.AddTokens(0, Tokens("Das ist"));
  std::vector<Hypothesis> stopped = Says("Das ist");
  stopped[0].finish_reason = FinishReason::kStopSequence;
  answer.FinishSegment(0, stopped);
  ASSERT_TRUE(answer.is_complete());
  EXPECT_EQ(answer.summary().checks.num_flagged, 0);
}

TEST_F(AnswerTest, NoSegmentsAreCompleteAtOnce) {
  Answer answer(Plan({" \n"}));
  EXPECT_TRUE(answer.is_complete());
  EXPECT_EQ(answer.TakePart().text, " \n");
}

TEST_F(AnswerTest, WithoutATokenizerThereAreTokensOnly) {
  AnswerPlan plan = Plan({"", ""});
  plan.tokenizer = nullptr;
  Answer answer(std::move(plan));
  answer.AddTokens(0, Tokens("ab"));
  answer.FinishSegment(0, Finished(FinishReason::kEos));
  const AnswerPart part = answer.TakePart();
  EXPECT_EQ(part.text, "");
  EXPECT_EQ(part.tokens, Tokens("ab"));
}

}  // namespace
}  // namespace sheaf
