// SPDX-License-Identifier: Apache-2.0

#include "engine/beam_search.h"

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/naive_beam_search.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using Tokens = std::vector<int32_t>;

constexpr int32_t kEos = 1;

// Log-probabilities that depend on all tokens so far, and on nothing else.
class RandomModel {
 public:
  RandomModel(uint32_t seed, int32_t vocab_size)
      : rng_(seed), vocab_size_(vocab_size) {}

  const std::vector<double>& LogProbs(const Tokens& tokens) {
    std::vector<double>& row = rows_[tokens];
    if (!row.empty()) return row;
    std::normal_distribution<double> normal(0.0, 2.0);
    double sum = 0;
    for (int32_t id = 0; id < vocab_size_; ++id) {
      row.push_back(normal(rng_));
      sum += std::exp(row.back());
    }
    for (double& x : row) x -= std::log(sum);
    return row;
  }

 private:
  std::mt19937 rng_;
  const int32_t vocab_size_;
  std::map<Tokens, std::vector<double>> rows_;
};

using ReasonToEnd = std::function<std::optional<FinishReason>(const Tokens&)>;

// Drives a BeamSearch with every token of every live beam.
std::vector<Hypothesis> Search(RandomModel& model,
                               const SamplingParams& sampling,
                               const ReasonToEnd& reason_to_end = {}) {
  const Tokens eos = {kEos};
  BeamSearch search(sampling, eos);
  std::vector<Tokens> beams = {{0}};
  std::vector<double> sums = {0};
  do {
    std::vector<BeamStep> candidates;
    for (size_t i = 0; i < beams.size(); ++i) {
      const std::vector<double>& row = model.LogProbs(beams[i]);
      for (size_t id = 0; id < row.size(); ++id) {
        candidates.push_back({static_cast<int32_t>(i), static_cast<int32_t>(id),
                              sums[i] + row[id]});
      }
    }
    const auto grown = [&](const BeamStep& step) {
      Tokens tokens = beams[step.parent];
      tokens.push_back(step.token);
      return tokens;
    };
    search.Advance(
        absl::MakeSpan(candidates),
        [&](int32_t beam) { return LiveTokens{beams[beam]}; },
        [&](const BeamStep& step) -> std::optional<FinishReason> {
          if (!reason_to_end) return std::nullopt;
          return reason_to_end(grown(step));
        });
    std::vector<Tokens> next;
    sums.clear();
    for (const BeamStep& step : search.live()) {
      next.push_back(grown(step));
      sums.push_back(step.sum_logprob);
    }
    beams = std::move(next);
  } while (!search.is_done());
  return {search.finished().begin(), search.finished().end()};
}

TEST(BeamSearchTest, AnyOptionsGiveWhatTheDefinitionGives) {
  std::mt19937 rng(301);
  for (uint32_t seed = 0; seed < 600; ++seed) {
    SCOPED_TRACE(seed);
    RandomModel model(seed, /*vocab_size=*/3 + static_cast<int32_t>(rng() % 9));
    SamplingParams sampling;
    sampling.beam_size = 2 + static_cast<int32_t>(rng() % 5);
    sampling.max_new_tokens = 1 + static_cast<int32_t>(rng() % 12);
    sampling.search_end = static_cast<SearchEnd>(rng() % 3);
    sampling.length_penalty =
        std::vector<float>{-1.0f, 0.0f, 0.6f, 1.0f, 2.0f}[rng() % 5];
    const std::vector<Hypothesis> expected = NaiveBeamSearch(
        [&](const Tokens& tokens) { return model.LogProbs(tokens); }, sampling,
        kEos, /*start=*/{0});
    const std::vector<Hypothesis> actual = Search(model, sampling);
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(actual[i].tokens, expected[i].tokens);
      EXPECT_FLOAT_EQ(actual[i].score, expected[i].score);
      EXPECT_EQ(actual[i].finish_reason, expected[i].finish_reason);
    }
  }
}

// The best score of all possible continuations of `tokens`.
double BestOfAll(RandomModel& model, const SamplingParams& sampling,
                 Tokens& tokens, double sum) {
  const int32_t length = static_cast<int32_t>(tokens.size());
  double best = -std::numeric_limits<double>::infinity();
  const std::vector<double> row = model.LogProbs(tokens);
  for (int32_t id = 0; id < static_cast<int32_t>(row.size()); ++id) {
    const double with_it = sum + row[id];
    if (id == kEos || length == sampling.max_new_tokens) {
      best =
          std::max(best, with_it / std::pow(length, sampling.length_penalty));
      continue;
    }
    tokens.push_back(id);
    best = std::max(best, BestOfAll(model, sampling, tokens, with_it));
    tokens.pop_back();
  }
  return best;
}

TEST(BeamSearchTest, BeamsAsWideAsAllThereIsFindTheBest) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    RandomModel model(seed, /*vocab_size=*/3);
    SamplingParams sampling;
    sampling.beam_size = 16;
    sampling.max_new_tokens = 4;
    sampling.search_end = SearchEnd::kNoLiveBeamCanWin;
    Tokens start = {0};
    EXPECT_FLOAT_EQ(Search(model, sampling).front().score,
                    BestOfAll(model, sampling, start, 0))
        << seed;
  }
}

TEST(BeamSearchTest, ABeamThatTheCallerEndsFinishesWithItsScore) {
  RandomModel model(/*seed=*/7, /*vocab_size=*/5);
  SamplingParams sampling;
  sampling.beam_size = 2;
  sampling.max_new_tokens = 6;
  sampling.search_end = SearchEnd::kImmediately;
  const std::vector<Hypothesis> all =
      Search(model, sampling, [](const Tokens& tokens) {
        return tokens.size() == 4 ? std::optional(FinishReason::kStopSequence)
                                  : std::nullopt;
      });
  ASSERT_EQ(all.size(), 2);
  for (const Hypothesis& each : all) {
    ASSERT_EQ(each.finish_reason, FinishReason::kStopSequence);
    double sum = 0;
    Tokens tokens = {0};
    for (int32_t id : each.tokens) {
      sum += model.LogProbs(tokens)[id];
      tokens.push_back(id);
    }
    EXPECT_EQ(each.tokens.size(), 3);
    EXPECT_FLOAT_EQ(each.score, sum / 3);
  }
  EXPECT_GE(all[0].score, all[1].score);
}

TEST(BeamSearchTest, EqualSumsGoByBeamThenById) {
  SamplingParams sampling;
  sampling.beam_size = 3;
  const Tokens eos = {kEos};
  BeamSearch search(sampling, eos);
  std::vector<BeamStep> candidates = {
      {1, 5, -1}, {0, 9, -1}, {0, 4, -1}, {1, 2, -1}};
  const Tokens tokens = {0, 8};
  search.Advance(
      absl::MakeSpan(candidates), [&](int32_t) { return LiveTokens{tokens}; },
      [](const BeamStep&) -> std::optional<FinishReason> { return {}; });
  std::vector<std::pair<int32_t, int32_t>> live;
  for (const BeamStep& step : search.live()) {
    live.push_back({step.parent, step.token});
  }
  EXPECT_THAT(live,
              ElementsAre(std::pair(0, 4), std::pair(0, 9), std::pair(1, 2)));
}

}  // namespace
}  // namespace sheaf
