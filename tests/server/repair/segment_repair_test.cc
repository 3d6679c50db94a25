// SPDX-License-Identifier: Apache-2.0

#include "server/repair/segment_repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/server/repair/repair_fixture.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A result with this text, spelled by bytes.
std::vector<Hypothesis> Says(const std::string& text, float logprob = -1) {
  Hypothesis hypothesis;
  for (const unsigned char c : text) hypothesis.tokens.push_back(3 + c);
  hypothesis.mean_logprob = logprob;
  return {hypothesis};
}

class SegmentRepairTest : public RepairTest {
 protected:
  // The texts that are to be decoded after this result.
  std::vector<std::string> Sources(const std::vector<RepairDecode>& decodes) {
    std::vector<std::string> sources;
    for (const RepairDecode& decode : decodes) {
      EXPECT_EQ(decode.number, ++last_decode_);
      sources.push_back(plan_.source_tokenizer->Decode(decode.source));
    }
    return sources;
  }

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
  Begin("Come at 19:30.");
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
  Begin("Come at 19:30.");
  EXPECT_EQ(repair_->Take(0, Says("Komm um 7.")).size(), 1);
  EXPECT_THAT(repair_->Take(1, Says("Komm um 8.")), IsEmpty());
  ASSERT_TRUE(repair_->is_final());
  const HeldResult result = repair_->TakeResult();
  EXPECT_EQ(result.best.text, "Komm um 7.");
  EXPECT_THAT(result.warnings, ElementsAre(SegmentWarning::kNumber));
  EXPECT_EQ(result.checks.of(SegmentCheck::kNumbersFlagged), 1);
}

// Models copy capitals that they do not know, and are certain of that.
TEST_F(SegmentRepairTest, CapitalsAreTranslatedInSentenceCase) {
  segment_.capitals = Capitals::kAll;
  Begin("THE FILE IS OPEN.");
  EXPECT_THAT(Sources(repair_->Take(0, Says("THE FAIL IS OPEN.", -0.1f))),
              ElementsAre("The file is open."));
  EXPECT_THAT(repair_->Take(1, Says("Die Datei ist offen.", -0.3f)), IsEmpty());
  ASSERT_TRUE(repair_->is_final());
  const HeldResult result = repair_->TakeResult();
  EXPECT_EQ(result.best.text, "DIE DATEI IST OFFEN.");
  EXPECT_EQ(result.mean_logprob, -0.3f);
  EXPECT_EQ(result.checks.of(SegmentCheck::kCapitalsInSentence), 1);
}

TEST_F(SegmentRepairTest, CapitalsStayIfSentenceCaseLosesSomething) {
  segment_.capitals = Capitals::kAll;
  Begin("THE FILE OPENS AT 19:30.");
  EXPECT_EQ(repair_->Take(0, Says("DIE DATEI GEHT 19:30 AUF.", -2)).size(), 1);
  EXPECT_THAT(repair_->Take(1, Says("Die Datei geht um 7 auf.")), IsEmpty());
  ASSERT_TRUE(repair_->is_final());
  const HeldResult result = repair_->TakeResult();
  EXPECT_EQ(result.best.text, "DIE DATEI GEHT 19:30 AUF.");
  EXPECT_EQ(result.checks.of(SegmentCheck::kCapitalsAsTheyAre), 1);
}

TEST_F(SegmentRepairTest, ASuspiciousSegmentIsTranslatedInHalves) {
  Begin("The old house is near the river, and the new one is not.");
  const std::string loop = "das Haus ist das Haus ist das Haus ist";
  const std::vector<RepairDecode> again = repair_->Take(0, Says(loop));
  ASSERT_EQ(again.size(), 1);
  EXPECT_TRUE(again[0].is_other_search);
  ++last_decode_;
  EXPECT_THAT(Sources(repair_->Take(1, Says(loop))),
              ElementsAre("The old house is near the river,",
                          "and the new one is not."));
  EXPECT_THAT(repair_->Take(2, Says("Das alte Haus ist am Fluss,")), IsEmpty());
  EXPECT_THAT(repair_->Take(3, Says("und das neue nicht.")), IsEmpty());
  ASSERT_TRUE(repair_->is_final());
  const HeldResult result = repair_->TakeResult();
  EXPECT_EQ(result.best.text,
            "Das alte Haus ist am Fluss, und das neue nicht.");
  EXPECT_EQ(result.checks.of(SegmentCheck::kCoverageRepaired), 1);
}

TEST_F(SegmentRepairTest, ASegmentHasALimitedNumberOfRounds) {
  segment_.capitals = Capitals::kAll;
  Begin("OPEN {name} AT 19:30 AND 20:30.", {"{name}"});
  int num_rounds = 0;
  std::vector<RepairDecode> decodes = repair_->Take(0, Says("A"));
  while (!decodes.empty()) {
    ++num_rounds;
    std::vector<RepairDecode> next;
    for (const RepairDecode& decode : decodes) {
      next = repair_->Take(decode.number, Says("A"));
    }
    decodes = std::move(next);
  }
  ASSERT_TRUE(repair_->is_final());
  EXPECT_EQ(num_rounds, SegmentRepair::kMaxRounds);
  EXPECT_THAT(repair_->TakeResult().best.text, ::testing::HasSubstr("{name}"));
}

}  // namespace
}  // namespace sheaf
