// SPDX-License-Identifier: Apache-2.0

#include "engine/decoding.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

constexpr int32_t kEos = 1;

std::shared_ptr<const std::vector<std::vector<int32_t>>> BadWords(
    std::vector<std::vector<int32_t>> words) {
  return std::make_shared<const std::vector<std::vector<int32_t>>>(
      std::move(words));
}

class ChooseTokenTest : public ::testing::Test {
 protected:
  ChosenToken Choose(std::vector<float> logits,
                     const std::vector<int32_t>& tokens = {0},
                     int32_t segment_index = 0) {
    const std::vector<int32_t> eos = {kEos};
    TokenContext context = {sampling_, eos, tokens, segment_index};
    context.num_start_tokens = num_start_tokens_;
    return ChooseToken(context, kernels::KernelsFor(kernels::DetectIsa()),
                       absl::MakeSpan(logits), scratch_);
  }

  // The frequency of each drawn token, over `n` seeds.
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
  size_t num_start_tokens_ = 1;
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

TEST_F(ChooseTokenTest, ABadWordsLastTokenDoesNotFollowItsOthers) {
  sampling_.bad_words = BadWords({{3, 2, 4}, {2, 5}});
  const std::vector<float> logits = {0, 1, 2, 3, 9, 8};
  EXPECT_EQ(Choose(logits, {0, 2}).id, 4);     // 3 is missing before 2
  EXPECT_EQ(Choose(logits, {0, 3, 2}).id, 3);  // neither 4 nor 5
  EXPECT_EQ(Choose(logits, {0, 3, 2, 1}).id, 4);
}

TEST_F(ChooseTokenTest, ABadWordOfOneTokenNeverComesUnlessItEndsTheText) {
  sampling_.bad_words = BadWords({{4}, {kEos}});
  EXPECT_EQ(Choose({0, 8, 2, 3, 9}).id, kEos);
}

TEST_F(ChooseTokenTest, ABadWordMayBeginWithTheStartToken) {
  sampling_.bad_words = BadWords({{0, 2}});
  EXPECT_EQ(Choose({0, 1, 9, 5}, {0}).id, 3);
  EXPECT_EQ(Choose({0, 1, 9, 5}, {0, 3}).id, 2);
}

TEST_F(ChooseTokenTest, ABadWordLongerThanTheTextForbidsNothing) {
  sampling_.bad_words = BadWords({{7, 0, 2}});
  EXPECT_EQ(Choose({0, 1, 9, 5}, {0}).id, 2);
}

TEST_F(ChooseTokenTest, AForcedFirstTokenComesWhateverIsForbidden) {
  sampling_.forced_first_token = 3;
  sampling_.suppressed_tokens = {3};
  sampling_.min_new_tokens = 5;
  const ChosenToken first = Choose({0, 1, 9, 5}, {0});
  EXPECT_EQ(first.id, 3);
  EXPECT_EQ(first.logprob, 0);
  EXPECT_EQ(Choose({0, 1, 9, 5}, {0, 3}).id, 2);
}

TEST_F(ChooseTokenTest, AtTheOnlyPlaceTheForcedLastTokenComesFirst) {
  sampling_.forced_first_token = 3;
  sampling_.forced_last_token = 2;
  sampling_.max_new_tokens = 1;
  EXPECT_EQ(Choose({0, 9, 1, 5}, {0}).id, 2);
}

TEST_F(ChooseTokenTest, WhatIsForbiddenAtFirstIsSoAtTheFirstFreePlace) {
  sampling_.first_suppressed_tokens = {2};
  const std::vector<float> logits = {0, 1, 9, 5};
  EXPECT_EQ(Choose(logits, {0}).id, 3);
  EXPECT_EQ(Choose(logits, {0, 1}).id, 2);
  sampling_.forced_first_token = 1;
  EXPECT_EQ(Choose(logits, {0, 1}).id, 3);
  EXPECT_EQ(Choose(logits, {0, 1, 1}).id, 2);
  num_start_tokens_ = 3;
  EXPECT_EQ(Choose(logits, {0, 1}).id, 2);
  EXPECT_EQ(Choose(logits, {0, 1, 1}).id, 3);
}

TEST_F(ChooseTokenTest, MinPDropsWhatIsFarLessLikelyThanTheBest) {
  sampling_.temperature = 1.0f;
  // Probabilities 0.5, 0.3, 0.15, 0.05.
  const std::vector<float> logits = {std::log(0.3f), std::log(0.5f),
                                     std::log(0.05f), std::log(0.15f)};
  for (int32_t top_k : {0, 3}) {
    sampling_.top_k = top_k;
    sampling_.min_p = 0.59f;  // 0.3 / 0.5 is more
    const auto two = Frequencies(logits, 20'000);
    ASSERT_EQ(two.size(), 2);
    EXPECT_NEAR(two.at(1), 0.5 / 0.8, 0.015);
    sampling_.min_p = 0.61f;
    EXPECT_EQ(Frequencies(logits, 100).size(), 1);
    sampling_.min_p = 1.0f;
    EXPECT_EQ(Frequencies(logits, 100).size(), 1);
  }
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

TEST_F(ChooseTokenTest, TheLeastTemperaturesTakeTheGreatest) {
  const float greatest = std::nextafter(1.0f, 2.0f);
  for (float temperature : {1e-9f, 4e-38f, 1e-45f}) {
    sampling_.temperature = temperature;
    for (float top_p : {1.0f, 0.9f}) {
      sampling_.top_p = top_p;
      for (int32_t top_k : {0, 2}) {
        sampling_.top_k = top_k;
        EXPECT_EQ(Choose({1, -3, greatest, 0}, {}).id, 2)
            << temperature << " " << top_p << " " << top_k;
      }
    }
  }
}

TEST_F(ChooseTokenTest, LogitsThatAreNoNumbersStillGiveAToken) {
  const float nan = std::nanf("");
  sampling_.temperature = 1;
  for (const std::vector<float>& logits :
       {std::vector<float>(100, nan), {nan, 1, 2, nan}, {INFINITY, 1, nan}}) {
    for (float top_p : {1.0f, 0.5f}) {
      sampling_.top_p = top_p;
      for (int32_t top_k : {0, 3}) {
        sampling_.top_k = top_k;
        const int32_t id = Choose(logits, {}).id;
        EXPECT_GE(id, 0);
        EXPECT_LT(id, static_cast<int32_t>(logits.size()));
      }
    }
  }
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

// ---- Comparison with the definition, over a vocabulary of usual size ----

constexpr int32_t kVocabSize = 32128;

// Random logits; some are equal, and some are forbidden.
std::vector<float> ManyLogits(uint32_t seed, float spread) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal(0.0f, spread);
  std::vector<float> logits(kVocabSize);
  for (float& logit : logits) {
    logit = std::round(normal(rng) * 1000.0f) / 1000.0f;
  }
  for (int i = 0; i < 50; ++i) logits[rng() % kVocabSize] = kForbidden;
  return logits;
}

std::vector<int32_t> SortedIds(const std::vector<float>& logits) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(),
                   [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  return ids;
}

TEST(TopTokensTest, AreTheBestOfASort) {
  const kernels::Kernels& kernels = kernels::KernelsFor(kernels::DetectIsa());
  TopTokensScratch scratch;
  for (uint32_t seed = 0; seed < 10; ++seed) {
    std::vector<float> logits = ManyLogits(seed, 3.0f);
    // Cases: sizes that are not a multiple of a block, all in one block, all
    // equal.
    if (seed % 3 == 1) logits.resize(1000 + seed);
    if (seed == 5) std::fill(logits.begin(), logits.end(), 1.0f);
    if (seed == 7) std::sort(logits.begin(), logits.end());
    const std::vector<int32_t> sorted = SortedIds(logits);
    for (int32_t k : {1, 2, 8, 32, 400, 900}) {
      const absl::Span<const int32_t> top =
          TopTokens(kernels, logits, k, scratch);
      EXPECT_EQ(std::vector<int32_t>(top.begin(), top.end()),
                std::vector<int32_t>(sorted.begin(), sorted.begin() + k))
          << seed << " " << k;
    }
  }
}

TEST(TopTokensTest, AreFewerIfTheRestIsForbidden) {
  std::vector<float> logits(300, kForbidden);
  logits[299] = 1.0f;
  logits[7] = 1.0f;
  TopTokensScratch scratch;
  EXPECT_THAT(TopTokens(kernels::KernelsFor(kernels::Isa::kPortable), logits, 4,
                        scratch),
              ::testing::ElementsAre(7, 299));
}

// The set that top_k and top_p leave, found by sorting.
std::set<int32_t> KeptSet(const std::vector<float>& logits,
                          const SamplingParams& sampling) {
  std::vector<int32_t> ids = SortedIds(logits);
  if (sampling.top_k > 0) ids.resize(sampling.top_k);
  std::vector<double> weights;
  double total = 0;
  for (int32_t id : ids) {
    weights.push_back(
        std::exp((double{logits[id]} - logits[ids[0]]) / sampling.temperature));
    total += weights.back();
  }
  std::set<int32_t> kept;
  double sum = 0;
  for (size_t i = 0; i < ids.size() && (i == 0 || sum < sampling.top_p * total);
       ++i) {
    kept.insert(ids[i]);
    sum += weights[i];
  }
  return kept;
}

// Every draw is from the set, and the better half of its mass is drawn half of
// the time.
TEST_F(ChooseTokenTest, DrawsFromTheSetThatADefinitionBySortingLeaves) {
  constexpr int kDraws = 1500;
  for (uint32_t seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE(seed);
    sampling_ = {};
    sampling_.temperature = seed % 2 ? 0.7f : 1.5f;
    sampling_.top_k = std::vector<int32_t>{0, 40, 1000}[seed % 3];
    sampling_.top_p = seed < 3 ? 0.9f : 0.5f;
    const std::vector<float> logits = ManyLogits(seed, 2.0f);
    const std::set<int32_t> kept = KeptSet(logits, sampling_);
    SamplingParams half = sampling_;
    half.top_p = sampling_.top_p / 2;
    const std::set<int32_t> better = KeptSet(logits, half);
    double better_mass = 0, mass = 0;
    for (int32_t id : kept) {
      const double weight =
          std::exp(double{logits[id]} / sampling_.temperature);
      mass += weight;
      if (better.contains(id)) better_mass += weight;
    }
    int num_better = 0;
    for (int i = 0; i < kDraws; ++i) {
      sampling_.seed = i;
      const int32_t id = Choose(logits).id;
      EXPECT_TRUE(kept.contains(id)) << id;
      num_better += better.contains(id);
    }
    EXPECT_NEAR(num_better / double{kDraws}, better_mass / mass, 0.05);
  }
}

// ---- RankTokens() ----

class RankTokensTest : public ChooseTokenTest {
 protected:
  std::vector<ChosenToken> Rank(std::vector<float> logits, int32_t k,
                                const std::vector<int32_t>& tokens = {0}) {
    const std::vector<int32_t> eos = {kEos};
    std::vector<ChosenToken> out(k);
    out.resize(RankTokens({sampling_, eos, tokens, /*segment_index=*/0},
                          kernels::KernelsFor(kernels::DetectIsa()),
                          absl::MakeSpan(logits), scratch_,
                          absl::MakeSpan(out)));
    return out;
  }
};

TEST_F(RankTokensTest, TheRulesWorkOnLogProbabilitiesAndNothingIsRenormalised) {
  const std::vector<float> logits = {0, 1, 5, 2, 4};
  double sum = 0;
  for (float x : logits) sum += std::exp(x);
  const double log_z = std::log(sum);
  sampling_.repetition_penalty = 2.0f;
  sampling_.suppressed_tokens = {3};
  const std::vector<ChosenToken> ranked = Rank(logits, 3, {0, 2});
  ASSERT_EQ(ranked.size(), 3);
  // The log-probability of token 2 is negative and therefore doubled, although
  // its logit is positive.
  EXPECT_EQ(ranked[0].id, 2);
  EXPECT_NEAR(ranked[0].logprob, 2 * (5 - log_z), 1e-5);
  EXPECT_EQ(ranked[1].id, 4);
  EXPECT_NEAR(ranked[1].logprob, 4 - log_z, 1e-5);
  EXPECT_EQ(ranked[2].id, 1);
}

TEST_F(RankTokensTest, AForcedLastTokenIsTheOnlyOneAndCostsNothing) {
  sampling_.max_new_tokens = 2;
  sampling_.forced_last_token = 1;
  EXPECT_EQ(Rank({0, 1, 5}, 2).size(), 2);
  const std::vector<ChosenToken> last = Rank({0, 1, 5}, 2, {0, 2});
  ASSERT_EQ(last.size(), 1);
  EXPECT_EQ(last[0].id, 1);
  EXPECT_EQ(last[0].logprob, 0);
}

TEST_F(RankTokensTest, AForcedFirstTokenIsTheOnlyOneAndCostsNothing) {
  sampling_.forced_first_token = 1;
  const std::vector<ChosenToken> first = Rank({0, 1, 5}, 2, {0});
  ASSERT_EQ(first.size(), 1);
  EXPECT_EQ(first[0].id, 1);
  EXPECT_EQ(first[0].logprob, 0);
  EXPECT_EQ(Rank({0, 1, 5}, 2, {0, 1}).size(), 2);
}

TEST_F(RankTokensTest, WhatIsLeftSumsToOneIfItIsRenormalized) {
  sampling_.is_renormalized = true;
  sampling_.suppressed_tokens = {0, 2};  // in whole vectors and after them
  std::vector<float> logits(37);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = 0.1f * i;
  double sum = 0;
  for (const ChosenToken& token : Rank(logits, 40)) {
    sum += std::exp(token.logprob);
  }
  EXPECT_NEAR(sum, 1, 1e-5);
  sampling_.is_renormalized = false;
  double left = 0;
  for (const ChosenToken& token : Rank(logits, 40)) {
    left += std::exp(token.logprob);
  }
  EXPECT_LT(left, 0.999);
}

TEST_F(RankTokensTest, EndsIfEverythingIsForbidden) {
  sampling_.suppressed_tokens = {0, 1, 2};
  const std::vector<ChosenToken> ranked = Rank({3, 1, 2}, 2);
  ASSERT_EQ(ranked.size(), 1);
  EXPECT_EQ(ranked[0].id, kEos);
}

}  // namespace
}  // namespace sheaf
