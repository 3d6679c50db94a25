// SPDX-License-Identifier: Apache-2.0

#include "server/repair/segment_repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int32_t kEndId = 1;

// A result with this text, spelled by bytes.
std::vector<Hypothesis> Says(const std::string& text, float logprob = -1) {
  Hypothesis hypothesis;
  for (const unsigned char c : text) hypothesis.tokens.push_back(3 + c);
  hypothesis.mean_logprob = logprob;
  return {hypothesis};
}

// Says() with each word aligned to the source word of the same rank, where the
// source is spelled by words.
class SegmentRepairTest : public testing::Test {
 protected:
  SegmentRepairTest() {
    static const auto* const tokenizer =
        Tokenizer::Load(SHEAF_MODELS_DIR "/sheaf-small", /*vocab_size=*/8064)
            .value()
            .release();
    plan_.source_tokenizer = tokenizer;
    plan_.target_tokenizer = tokenizer;
    plan_.prompt.after = {kEndId};
    plan_.max_source_tokens = 128;
    plan_.source_language = "en";
    plan_.target_language = "de";
  }

  // Begins with a segment in which `spans` are protected.
  void Begin(const std::string& text, const std::vector<std::string>& spans) {
    plan_.text = text;
    segment_.source = {0, text.size()};
    size_t at = 0;
    for (const std::string& span : spans) {
      at = text.find(span, at);
      segment_.spans.push_back({at, at + span.size()});
      at += span.size();
    }
    segment_.kept = segment_.spans;
    repair_.emplace(plan_, segment_);
  }

  // The texts that are to be decoded after this result.
  std::vector<std::string> Sources(const std::vector<RepairDecode>& decodes) {
    std::vector<std::string> sources;
    for (const RepairDecode& decode : decodes) {
      EXPECT_EQ(decode.number, ++last_decode_);
      sources.push_back(plan_.source_tokenizer->Decode(decode.source));
    }
    return sources;
  }

  RepairPlan plan_;
  SegmentPlan segment_;
  std::optional<SegmentRepair> repair_;
  int32_t last_decode_ = 0;
};

TEST_F(SegmentRepairTest, ATextThatKeepsItsSpansIsFinal) {
  Begin("Open {name} now.", {"{name}"});
  EXPECT_THAT(repair_->Take(0, Says("Jetzt {name} auf.", -0.5f)), IsEmpty());
  ASSERT_TRUE(repair_->is_final());
  const HeldResult result = repair_->TakeResult();
  EXPECT_EQ(result.best.text, "Jetzt {name} auf.");
  EXPECT_EQ(result.mean_logprob, -0.5f);
  EXPECT_THAT(result.warnings, IsEmpty());
  EXPECT_EQ(result.num_output_tokens, 17);
  EXPECT_EQ(result.checks.of(SegmentCheck::kSpansKept), 1);
  EXPECT_EQ(result.checks.num_decodes, 0);
}

TEST_F(SegmentRepairTest, StandInsAreTriedAndThenReplaced) {
  Begin("Open {name} now.", {"{name}"});
  EXPECT_THAT(Sources(repair_->Take(0, Says("Mach den Namen auf."))),
              ElementsAre("Open __1__ now."));
  EXPECT_THAT(repair_->Take(1, Says("Mach __1__ auf.")), IsEmpty());
  ASSERT_TRUE(repair_->is_final());
  const HeldResult result = repair_->TakeResult();
  EXPECT_EQ(result.best.text, "Mach {name} auf.");
  EXPECT_EQ(result.checks.of(SegmentCheck::kSpansStandIns), 1);
  EXPECT_EQ(result.checks.num_decodes, 1);
}

TEST_F(SegmentRepairTest, AtLastTheTextBetweenTheSpansIsTranslated) {
  Begin("Open {name} now.", {"{name}"});
  EXPECT_THAT(Sources(repair_->Take(0, Says("A"))),
              ElementsAre("Open __1__ now."));
  EXPECT_THAT(Sources(repair_->Take(1, Says("B"))),
              ElementsAre("Open ID1 now."));
  EXPECT_THAT(Sources(repair_->Take(2, Says("C"))),
              ElementsAre("Open", "now."));
  EXPECT_THAT(repair_->Take(4, Says("jetzt.")), IsEmpty());
  EXPECT_FALSE(repair_->is_final());
  EXPECT_THAT(repair_->Take(3, Says("Mach")), IsEmpty());
  ASSERT_TRUE(repair_->is_final());
  const HeldResult result = repair_->TakeResult();
  EXPECT_EQ(result.best.text, "Mach {name} jetzt.");
  EXPECT_EQ(result.checks.of(SegmentCheck::kSpansCut), 1);
  EXPECT_EQ(result.checks.num_decodes, 4);
  EXPECT_EQ(result.num_output_tokens, 13);
}

TEST_F(SegmentRepairTest, WithoutRepairThereIsAWarning) {
  plan_.may_repair = false;
  Begin("Open {name} now.", {"{name}"});
  EXPECT_THAT(repair_->Take(0, Says("Mach auf.")), IsEmpty());
  ASSERT_TRUE(repair_->is_final());
  const HeldResult result = repair_->TakeResult();
  EXPECT_EQ(result.best.text, "Mach auf.");
  EXPECT_THAT(result.warnings, ElementsAre(SegmentWarning::kProtectedSpan));
  EXPECT_EQ(result.checks.of(SegmentCheck::kSpansLost), 1);
}

TEST_F(SegmentRepairTest, NothingIsExpectedOfATextThatAStopSequenceEnded) {
  Begin("Open {name} now.", {"{name}"});
  std::vector<Hypothesis> stopped = Says("Mach!");
  stopped[0].finish_reason = FinishReason::kStopSequence;
  EXPECT_THAT(repair_->Take(0, stopped), IsEmpty());
  ASSERT_TRUE(repair_->is_final());
  const HeldResult result = repair_->TakeResult();
  EXPECT_EQ(result.best.text, "Mach!");
  EXPECT_THAT(result.warnings, IsEmpty());
}

TEST_F(SegmentRepairTest, AnAlternativeThatKeepsTheSpansIsTheAnswer) {
  plan_.num_hypotheses = 3;
  Begin("Open {name} now.", {"{name}"});
  std::vector<Hypothesis> all = Says("A");
  all.push_back(Says("B {name}")[0]);
  all.push_back(Says("{name} C")[0]);
  EXPECT_THAT(repair_->Take(0, all), IsEmpty());
  ASSERT_TRUE(repair_->is_final());
  const HeldResult result = repair_->TakeResult();
  EXPECT_EQ(result.best.text, "B {name}");
  ASSERT_EQ(result.hypotheses.size(), 2);
  EXPECT_EQ(result.hypotheses[0].text, "B {name}");
  EXPECT_EQ(result.hypotheses[1].text, "{name} C");
}

TEST_F(SegmentRepairTest, ALostNumberIsSoughtWithAnotherSearch) {
  Begin("Come at 19:30.", {});
  const std::vector<RepairDecode> again = repair_->Take(0, Says("Komm um 7."));
  ASSERT_EQ(again.size(), 1);
  EXPECT_TRUE(again[0].is_other_search);
  EXPECT_THAT(Sources(again), ElementsAre("Come at 19:30."));
  EXPECT_THAT(repair_->Take(1, Says("Komm um 19:30.")), IsEmpty());
  ASSERT_TRUE(repair_->is_final());
  const HeldResult result = repair_->TakeResult();
  EXPECT_EQ(result.best.text, "Komm um 19:30.");
  EXPECT_EQ(result.checks.of(SegmentCheck::kNumbersRepaired), 1);
}

TEST_F(SegmentRepairTest, ANumberThatStaysLostGivesAWarning) {
  Begin("Come at 19:30.", {});
  EXPECT_EQ(repair_->Take(0, Says("Komm um 7.")).size(), 1);
  EXPECT_THAT(repair_->Take(1, Says("Komm um 8.")), IsEmpty());
  ASSERT_TRUE(repair_->is_final());
  const HeldResult result = repair_->TakeResult();
  EXPECT_EQ(result.best.text, "Komm um 7.");
  EXPECT_THAT(result.warnings, ElementsAre(SegmentWarning::kNumber));
  EXPECT_EQ(result.checks.of(SegmentCheck::kNumbersFlagged), 1);
}

}  // namespace
}  // namespace sheaf
