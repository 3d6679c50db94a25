// SPDX-License-Identifier: Apache-2.0

#include "server/repair/term_constraints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/server/repair/repair_fixture.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class TermConstraintsTest : public RepairTest {
 protected:
  TermConstraintsTest() {
    plan_.never_tokens = {kEndId};
    plan_.continues_word = std::make_shared<const std::vector<bool>>(8064);
  }

  std::vector<int32_t> Ids(absl::string_view text) const {
    return plan_.target_tokenizer->Encode(text);
  }
  int32_t NumMissing(const ConstraintSet& set, absl::string_view text) const {
    ConstraintSet::State state;
    for (int32_t id : Ids(text)) state = set.After(state, id);
    return set.NumMissing(state);
  }
  std::vector<Hypothesis> Says(absl::string_view text,
                               FinishReason reason = FinishReason::kEos) const {
    Hypothesis hypothesis;
    hypothesis.tokens = Ids(text);
    hypothesis.finish_reason = reason;
    return {hypothesis};
  }
  void BeginWithTerm(const std::string& text, std::vector<TargetForm> forms) {
    segment_.terms = {{{0, 1}, std::move(forms)}};
    Begin(text);
  }
};

TEST_F(TermConstraintsTest, AnyFormMeetsATerm) {
  const std::vector<SourceTerm> terms = {
      {{0, 1}, {{"neues Haus"}, {"Gebäude"}}}, {{2, 3}, {{"Garten"}}}};
  const auto set = MakeTermConstraints(plan_, terms);
  EXPECT_EQ(set->num_terms(), 2);
  EXPECT_EQ(NumMissing(*set, "Ein neues Haus mit Garten."), 0);
  EXPECT_EQ(NumMissing(*set, "Das Gebäude mit Garten"), 0);
  EXPECT_GT(NumMissing(*set, "Das Haus mit Garten"), 0);
}

TEST_F(TermConstraintsTest, ATermThatTheModelCannotWriteDoesNotCount) {
  EXPECT_EQ(MakeTermConstraints(plan_, {}), nullptr);
  plan_.never_tokens = Ids("Garten");
  const std::vector<SourceTerm> terms = {{{0, 1}, {{"Garten"}}}};
  EXPECT_EQ(MakeTermConstraints(plan_, terms), nullptr);
}

TEST_F(TermConstraintsTest, ATranslationWithItsTermsIsFinal) {
  BeginWithTerm("The house is new.", {{"Haus"}});
  EXPECT_THAT(repair_->Take(0, Says("Das Haus ist neu.")), IsEmpty());
  const HeldResult result = repair_->TakeResult();
  EXPECT_THAT(result.warnings, IsEmpty());
  EXPECT_EQ(result.checks.of(SegmentCheck::kTermsUsed), 1);
}

TEST_F(TermConstraintsTest, AMissingTermIsDecodedWithConstraints) {
  BeginWithTerm("The house is new.", {{"Gebäude"}});
  const auto decodes = repair_->Take(0, Says("Das Haus ist neu."));
  ASSERT_THAT(decodes, SizeIs(1));
  ASSERT_NE(decodes[0].constraints, nullptr);
  EXPECT_EQ(NumMissing(*decodes[0].constraints, "Das Gebäude"), 0);
  EXPECT_THAT(repair_->Take(1, Says("Das Gebäude ist neu.")), IsEmpty());
  const HeldResult result = repair_->TakeResult();
  EXPECT_EQ(result.best.text, "Das Gebäude ist neu.");
  EXPECT_THAT(result.warnings, IsEmpty());
  EXPECT_EQ(result.checks.of(SegmentCheck::kTermsConstrained), 1);
}

TEST_F(TermConstraintsTest, ADecodeThatDoesNotEndIsNotTaken) {
  BeginWithTerm("The house is new.", {{"Gebäude"}});
  repair_->Take(0, Says("Das Haus ist neu."));
  repair_->Take(1,
                Says("Das Gebäude ist so und so und", FinishReason::kLength));
  const HeldResult result = repair_->TakeResult();
  EXPECT_EQ(result.best.text, "Das Haus ist neu.");
  EXPECT_THAT(result.warnings, ElementsAre(SegmentWarning::kTerm));
  EXPECT_EQ(result.checks.of(SegmentCheck::kTermsMissing), 1);
}

TEST_F(TermConstraintsTest, WithoutRepairAMissingTermIsFlagged) {
  plan_.may_repair = false;
  BeginWithTerm("The house is new.", {{"Gebäude"}});
  EXPECT_THAT(repair_->Take(0, Says("Das Haus ist neu.")), IsEmpty());
  EXPECT_THAT(repair_->TakeResult().warnings,
              ElementsAre(SegmentWarning::kTerm));
}

}  // namespace
}  // namespace sheaf
