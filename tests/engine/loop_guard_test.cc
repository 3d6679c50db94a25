// SPDX-License-Identifier: Apache-2.0

#include "engine/loop_guard.h"

#include <numeric>
#include <vector>

#include "gtest/gtest.h"

namespace sheaf {
namespace {

// The number of tokens of `text` after which it loops; 0: it does not.
size_t LoopsAt(const std::vector<int32_t>& text) {
  for (size_t n = 0; n < text.size(); ++n) {
    if (IsLooping({text.data(), n}, text[n])) return n + 1;
  }
  return 0;
}

// 50 different tokens, then a phrase of `period` tokens, repeated `times`
// times.
std::vector<int32_t> Phrase(int32_t period, int32_t times) {
  std::vector<int32_t> text(50);
  std::iota(text.begin(), text.end(), 1000);
  for (int32_t i = 0; i < period * times; ++i) text.push_back(i % period);
  return text;
}

TEST(LoopGuardTest, ATokenLoopsTheThirtySecondTime) {
  EXPECT_EQ(LoopsAt(Phrase(1, 31)), 0);
  EXPECT_EQ(LoopsAt(Phrase(1, 40)), 50 + 32);
}

TEST(LoopGuardTest, APhraseLoopsTheFourthTime) {
  for (int32_t period : {8, 9, 20, 32}) {
    EXPECT_EQ(LoopsAt(Phrase(period, 3)), 0) << period;
    EXPECT_EQ(LoopsAt(Phrase(period, 5)), 50u + 4 * period) << period;
  }
}

TEST(LoopGuardTest, AShortPhraseLoopsAfterThirtyTwoTokens) {
  EXPECT_EQ(LoopsAt(Phrase(3, 20)), 50 + 32);
}

TEST(LoopGuardTest, ALongerPhraseDoesNotCount) {
  EXPECT_EQ(LoopsAt(Phrase(33, 20)), 0);
}

TEST(LoopGuardTest, ATextThatOnlyResemblesALoopDoesNotLoop) {
  std::vector<int32_t> text;
  for (int32_t i = 0; i < 200; ++i) text.push_back(i % 10 == 9 ? i : i % 10);
  EXPECT_EQ(LoopsAt(text), 0);
  EXPECT_FALSE(IsLooping({}, 1));
}

}  // namespace
}  // namespace sheaf
