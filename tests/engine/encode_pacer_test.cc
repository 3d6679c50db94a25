// SPDX-License-Identifier: Apache-2.0

#include "engine/encode_pacer.h"

#include "gtest/gtest.h"

namespace sheaf {
namespace {

constexpr int32_t kMaxTokens = 2048;
constexpr EncodePass kMain = EncodePass::kMain;
constexpr EncodePass kOvertaking = EncodePass::kOvertaking;

class EncodePacerTest : public ::testing::Test {
 protected:
  // Takes the next turn, which takes `took`, and returns it.
  EncodePacer::Turn Advance(std::optional<absl::Duration> decode_time,
                            absl::Duration took, bool is_done = false) {
    const auto turn = pacer_.NextTurn(decode_time);
    EXPECT_TRUE(turn.has_value());
    pacer_.OnAdvanced(*turn, took, is_done);
    return *turn;
  }
  int64_t NextSlice(std::optional<absl::Duration> decode_time) const {
    return pacer_.NextTurn(decode_time).value().token_layers;
  }

  EncodePacer pacer_{kMaxTokens};
};

TEST_F(EncodePacerTest, WithoutAPassThereIsNoTurn) {
  EXPECT_FALSE(pacer_.NextTurn(std::nullopt).has_value());
  EXPECT_FALSE(pacer_.NextTurn(absl::Seconds(1)).has_value());
}

TEST_F(EncodePacerTest, WhileNothingDecodesSlicesAreLarge) {
  pacer_.OnBegin(kMain, 500);
  EXPECT_EQ(NextSlice(std::nullopt), EncodePacer::kSliceAlone);
  Advance(std::nullopt, absl::Seconds(100));
  EXPECT_EQ(NextSlice(std::nullopt), EncodePacer::kSliceAlone);
}

TEST_F(EncodePacerTest, TheFirstSliceBesideOthersIsSmall) {
  pacer_.OnBegin(kMain, 500);
  // The encoder's speed is not known.
  EXPECT_EQ(NextSlice(absl::Milliseconds(10)), EncodePacer::kFirstSlice);
  Advance(std::nullopt, absl::Milliseconds(4));
  // Its speed is known, and the duration of a decode step is not.
  EXPECT_EQ(NextSlice(absl::ZeroDuration()), EncodePacer::kFirstSlice);
}

TEST_F(EncodePacerTest, ASliceTakesItsShareOfADecodeStep) {
  pacer_.OnBegin(kMain, 500);
  // 4,096 in 4.096 s, that is 1,000 per second.
  Advance(std::nullopt, absl::Milliseconds(4096));
  EXPECT_EQ(NextSlice(absl::Milliseconds(100)), 120);
  EXPECT_EQ(NextSlice(absl::Milliseconds(250)), 300);
  EXPECT_EQ(NextSlice(absl::Nanoseconds(1)), 1);  // never none
  // The last turn counts: 120 in 60 ms, that is 2,000 per second.
  Advance(absl::Milliseconds(100), absl::Milliseconds(60));
  EXPECT_EQ(NextSlice(absl::Milliseconds(100)), 240);
}

TEST_F(EncodePacerTest, TheLastTurnOfAPassSaysNothingOfTheSpeed) {
  pacer_.OnBegin(kMain, 500);
  Advance(std::nullopt, absl::Milliseconds(4096));
  Advance(std::nullopt, absl::Milliseconds(1), /*is_done=*/true);
  EXPECT_FALSE(pacer_.NextTurn(std::nullopt).has_value());
  pacer_.OnBegin(kMain, 500);
  EXPECT_EQ(NextSlice(absl::Milliseconds(100)), 120);
}

TEST_F(EncodePacerTest, ATurnThatTakesNoTimeSaysNothingOfTheSpeed) {
  pacer_.OnBegin(kMain, 500);
  Advance(std::nullopt, absl::ZeroDuration());
  EXPECT_EQ(NextSlice(absl::Milliseconds(100)), EncodePacer::kFirstSlice);
}

TEST_F(EncodePacerTest, AMainPassMayTakeAllTokens) {
  EXPECT_EQ(pacer_.NextAdmission().max_encode_tokens, kMaxTokens);
  EXPECT_FALSE(pacer_.NextAdmission().is_overtaking);
}

TEST_F(EncodePacerTest, OnlyMuchShorterSourcesMayOvertake) {
  const struct {
    int32_t main_tokens, expected;
  } kCases[] = {
      {1, 0},
      {255, 0},
      {256, 64},  // a quarter, which is kLeastOvertakingTokens
      {800, 200},
      {1024, kMaxOvertakingTokens},
      {2048, kMaxOvertakingTokens},
  };
  for (const auto& test : kCases) {
    EncodePacer pacer(kMaxTokens);
    pacer.OnBegin(kMain, test.main_tokens);
    EXPECT_EQ(pacer.NextAdmission().max_encode_tokens, test.expected)
        << test.main_tokens;
    EXPECT_TRUE(pacer.NextAdmission().is_overtaking);
  }
}

TEST_F(EncodePacerTest, WhileBothPassesRunNothingIsAdmitted) {
  pacer_.OnBegin(kMain, 1000);
  pacer_.OnBegin(kOvertaking, 100);
  EXPECT_EQ(pacer_.NextAdmission().max_encode_tokens, 0);
  pacer_.OnDropped(kOvertaking);
  EXPECT_EQ(pacer_.NextAdmission().max_encode_tokens, 250);
  pacer_.OnDropped(kMain);
  EXPECT_EQ(pacer_.NextAdmission().max_encode_tokens, kMaxTokens);
}

TEST_F(EncodePacerTest, PassesTakeTurnsAndTheOneThatOvertakesIsFirst) {
  pacer_.OnBegin(kMain, 1000);
  EXPECT_EQ(Advance(std::nullopt, absl::Seconds(1)).pass, kMain);
  EXPECT_EQ(Advance(std::nullopt, absl::Seconds(1)).pass, kMain);
  pacer_.OnBegin(kOvertaking, 100);
  EXPECT_EQ(Advance(std::nullopt, absl::Seconds(1)).pass, kOvertaking);
  EXPECT_EQ(Advance(std::nullopt, absl::Seconds(1)).pass, kMain);
  EXPECT_EQ(Advance(std::nullopt, absl::Seconds(1), /*is_done=*/true).pass,
            kOvertaking);
  EXPECT_EQ(Advance(std::nullopt, absl::Seconds(1)).pass, kMain);
  EXPECT_EQ(Advance(std::nullopt, absl::Seconds(1)).pass, kMain);
}

TEST_F(EncodePacerTest, AnOvertakingPassMayOutliveTheMainPass) {
  pacer_.OnBegin(kMain, 1000);
  pacer_.OnBegin(kOvertaking, 100);
  pacer_.OnDropped(kMain);
  EXPECT_EQ(Advance(std::nullopt, absl::Seconds(1)).pass, kOvertaking);
  EXPECT_EQ(Advance(std::nullopt, absl::Seconds(1)).pass, kOvertaking);
  EXPECT_FALSE(pacer_.NextAdmission().is_overtaking);
}

}  // namespace
}  // namespace sheaf
