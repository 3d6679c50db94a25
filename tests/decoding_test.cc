#include "engine/decoding.h"

#include <cmath>
#include <map>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

constexpr int32_t kEos = 1;

class ChooseTokenTest : public ::testing::Test {
 protected:
  ChosenToken Choose(std::vector<float> logits,
                     const std::vector<int32_t>& tokens = {0},
                     int32_t segment_index = 0) {
    const std::vector<int32_t> eos = {kEos};
    return ChooseToken({sampling_, eos, tokens, segment_index},
                       kernels::KernelsFor(kernels::DetectIsa()),
                       absl::MakeSpan(logits), scratch_);
  }

  // How often each token is drawn, over `n` seeds.
  std::map<int32_t, double> Frequencies(const std::vector<float>& logits,
                                        int n) {
    std::map<int32_t, double> frequencies;
    for (int i = 0; i < n; ++i) {
      sampling_.seed = i;
      frequencies[Choose(logits).id] += 1.0 / n;
    }
    return frequencies;
  }

  SamplingParams sampling_;
  DecodingScratch scratch_;
};

TEST_F(ChooseTokenTest, GreedyTakesTheFirstOfTheGreatest) {
  EXPECT_EQ(Choose({0, 1, 5, 2, 5}).id, 2);
}

TEST_F(ChooseTokenTest, LogprobIsTheModelsLogSoftmaxWhateverTheRules) {
  sampling_.suppressed_tokens = {2};
  sampling_.repetition_penalty = 2.0f;
  const std::vector<float> logits = {0, 1, 5, 2, 4};
  double sum = 0;
  for (float x : logits) sum += std::exp(x);
  const ChosenToken chosen = Choose(logits, {0, 4});
  EXPECT_EQ(chosen.id,
            3);  // 2 is suppressed; 4 is halved, so 3 ties and is first.
  EXPECT_NEAR(chosen.logprob, 2 - std::log(sum), 1e-5);
}

TEST_F(ChooseTokenTest, RepetitionPenaltyCountsEachTokenOnce) {
  sampling_.repetition_penalty = 2.0f;
  EXPECT_EQ(Choose({0, 0, 8, 3}, {0, 2, 2}).id, 2);   // 8 / 2, not 8 / 4.
  EXPECT_EQ(Choose({-9, -9, -2, -3}, {0, 2}).id, 3);  // -2 * 2 < -3.
}

TEST_F(ChooseTokenTest, NoNgramComesTwice) {
  sampling_.no_repeat_ngram_size = 2;
  EXPECT_EQ(Choose({0, 0, 9, 5, 1}, {0, 3, 2, 3}).id, 3);
  sampling_.no_repeat_ngram_size = 1;
  EXPECT_EQ(Choose({0, 0, 9, 5, 1}, {0, 3, 2, 3}).id, 4);
}

TEST_F(ChooseTokenTest, EosWaitsForMinNewTokens) {
  sampling_.min_new_tokens = 2;
  EXPECT_EQ(Choose({0, 9, 5}, {0, 2}).id, 2);
  EXPECT_EQ(Choose({0, 9, 5}, {0, 2, 2}).id, kEos);
}

TEST_F(ChooseTokenTest, EndsIfEverythingIsForbidden) {
  sampling_.suppressed_tokens = {0, 1, 2};
  EXPECT_EQ(Choose({3, 1, 2}).id, kEos);
}

TEST_F(ChooseTokenTest, SamplesFromTheSoftmaxAtTheTemperature) {
  sampling_.temperature = 0.5f;
  const std::vector<float> logits = {0.0f, 0.3f, -0.4f, 0.5f};
  double sum = 0;
  for (float x : logits) sum += std::exp(x / 0.5);
  const auto frequencies = Frequencies(logits, 20'000);
  for (int32_t id = 0; id < 4; ++id) {
    EXPECT_NEAR(frequencies.at(id), std::exp(logits[id] / 0.5) / sum, 0.015);
  }
}

TEST_F(ChooseTokenTest, TopKKeepsTheBestAndTheirProportions) {
  sampling_.temperature = 1.0f;
  sampling_.top_k = 2;
  const auto frequencies = Frequencies({1.0f, 0.0f, 2.0f, -1.0f}, 20'000);
  ASSERT_EQ(frequencies.size(), 2);
  EXPECT_NEAR(frequencies.at(2), 1 / (1 + std::exp(-1.0)), 0.015);
  EXPECT_TRUE(frequencies.contains(0));
}

TEST_F(ChooseTokenTest, TopPKeepsTheSmallestSetThatReachesIt) {
  sampling_.temperature = 1.0f;
  // Probabilities 0.5, 0.3, 0.15, 0.05.
  const std::vector<float> logits = {std::log(0.3f), std::log(0.5f),
                                     std::log(0.05f), std::log(0.15f)};
  sampling_.top_p = 0.79f;
  const auto two = Frequencies(logits, 20'000);
  ASSERT_EQ(two.size(), 2);
  EXPECT_NEAR(two.at(1), 0.5 / 0.8, 0.015);
  sampling_.top_p = 0.81f;
  EXPECT_EQ(Frequencies(logits, 20'000).size(), 3);
  sampling_.top_p = 1e-6f;
  EXPECT_EQ(Frequencies(logits, 100).size(), 1);
}

TEST_F(ChooseTokenTest, TheDrawDependsOnSeedSegmentAndPlaceAlone) {
  sampling_.temperature = 1.0f;
  const std::vector<float> flat(64, 0.0f);
  std::vector<int32_t> drawn;
  for (uint64_t seed : {1, 2}) {
    for (int32_t segment : {0, 1}) {
      for (int32_t length : {1, 2}) {
        sampling_.seed = seed;
        const std::vector<int32_t> tokens(length, 0);
        const int32_t id = Choose(flat, tokens, segment).id;
        EXPECT_EQ(Choose(flat, tokens, segment).id, id);
        drawn.push_back(id);
      }
    }
  }
  std::sort(drawn.begin(), drawn.end());
  EXPECT_GT(std::unique(drawn.begin(), drawn.end()) - drawn.begin(), 5);
}

}  // namespace
}  // namespace sheaf
