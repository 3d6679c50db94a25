// SPDX-License-Identifier: Apache-2.0

#include "engine/constraints.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "engine/beam_search.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/naive_constraints.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Tokens = std::vector<int32_t>;

constexpr int32_t kEos = 1;
// Tokens 7 and 8 continue a word.
const std::vector<bool> kContinuesWord = {false, false, false, false, false,
                                          false, false, true,  true};

ConstraintSet MakeSet(const std::vector<RequiredTerm>& terms,
                      const Tokens& never = {}) {
  return ConstraintSet(
      terms, std::make_shared<const std::vector<bool>>(kContinuesWord), never);
}

ConstraintSet::State StateOf(const ConstraintSet& set, const Tokens& tokens) {
  ConstraintSet::State state;
  for (int32_t token : tokens) state = set.After(state, token);
  return state;
}

int32_t NumMissing(const ConstraintSet& set, const Tokens& tokens) {
  return set.NumMissing(StateOf(set, tokens));
}

Tokens Next(const ConstraintSet& set, const Tokens& tokens) {
  Tokens next;
  set.ListNext(StateOf(set, tokens), next);
  return next;
}

TEST(ConstraintSetTest, CountsTheTokensThatAreMissing) {
  const ConstraintSet set = MakeSet({{{{3, 4, 5}}}, {{{6}}}});
  EXPECT_EQ(NumMissing(set, {}), 4);
  EXPECT_EQ(NumMissing(set, {2, 3}), 3);
  EXPECT_EQ(NumMissing(set, {2, 3, 4}), 2);
  EXPECT_EQ(NumMissing(set, {2, 3, 4, 6}), 3);  // the term is broken off
  EXPECT_EQ(NumMissing(set, {3, 4, 5, 2, 2}), 1);
  EXPECT_EQ(NumMissing(set, {6, 3, 3, 4, 5}), 0);
}

TEST(ConstraintSetTest, AnyFormMeetsATerm) {
  const ConstraintSet set = MakeSet({{{{3, 4, 5}}, {{6, 2}}}});
  EXPECT_EQ(NumMissing(set, {}), 2);   // the shorter one
  EXPECT_EQ(NumMissing(set, {3}), 2);  // no nearer than the shorter one
  EXPECT_EQ(NumMissing(set, {3, 4}), 1);
  EXPECT_EQ(NumMissing(set, {3, 4, 5}), 0);
  EXPECT_EQ(NumMissing(set, {5, 6, 2}), 0);
}

TEST(ConstraintSetTest, AFormThatEndsAWordIsNotMetWithinOne) {
  const ConstraintSet whole = MakeSet({{{{3}, /*ends_word=*/true}}});
  EXPECT_EQ(NumMissing(whole, {3}), 0);
  EXPECT_EQ(NumMissing(whole, {3, 4}), 0);
  EXPECT_EQ(NumMissing(whole, {3, 7}), 1);
  EXPECT_EQ(NumMissing(whole, {3, 7, 3, 4}), 0);
  const ConstraintSet open = MakeSet({{{{3}, /*ends_word=*/false}}});
  EXPECT_EQ(NumMissing(open, {3, 7}), 0);
}

TEST(ConstraintSetTest, EqualFormsNeedAsManyOccurrences) {
  const ConstraintSet set = MakeSet({{{{3}}}, {{{3}}}, {{{2, 3}}}});
  EXPECT_EQ(NumMissing(set, {3, 4}), 3);
  EXPECT_EQ(NumMissing(set, {3, 4, 3}), 2);
  EXPECT_EQ(NumMissing(set, {2, 3, 3}), 1);  // the longer form comes first
  EXPECT_EQ(NumMissing(set, {2, 3, 3, 3}), 0);
}

TEST(ConstraintSetTest, ListsTheTokensThatBeginOrContinueAMissingTerm) {
  const ConstraintSet set =
      MakeSet({{{{3, 4}}}, {{{4, 5}}, {{6}}}, {{{3, 2}}}});
  EXPECT_THAT(Next(set, {}), ElementsAre(3, 4, 6));
  EXPECT_THAT(Next(set, {3}), ElementsAre(2, 3, 4, 6));
  // The term of 3 4 is met, and 4 begins another.
  EXPECT_THAT(Next(set, {3, 4}), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(Next(set, {3, 4, 6}), ElementsAre(3));
  EXPECT_THAT(Next(set, {3, 4, 6, 3, 2}), IsEmpty());
}

TEST(ConstraintSetTest, AFormThatCannotBeGeneratedDoesNotCount) {
  const ConstraintSet set =
      MakeSet({{{{3, kEos}}, {{4, 5, 6}}}, {{{2, 8}}}}, {kEos, 8});
  EXPECT_EQ(set.num_terms(), 1);
  EXPECT_EQ(NumMissing(set, {}), 3);
  EXPECT_THAT(Next(set, {}), ElementsAre(4));
  EXPECT_EQ(NumMissing(set, {4, 5, 6}), 0);
}

std::vector<RequiredTerm> RandomTerms(std::mt19937& rng, int32_t max_terms,
                                      int32_t max_tokens, int32_t num_tokens) {
  std::vector<RequiredTerm> terms(1 + rng() % max_terms);
  for (RequiredTerm& term : terms) {
    term.resize(1 + rng() % 2);
    for (TermForm& form : term) {
      form.ends_word = rng() % 2 == 0;
      form.tokens.resize(1 + rng() % max_tokens);
      for (int32_t& id : form.tokens) {
        id = 2 + static_cast<int32_t>(rng() % num_tokens);
      }
    }
  }
  return terms;
}

TEST(ConstraintSetTest, IsTheDefinitionForRandomOutputs) {
  std::mt19937 rng(301);
  int num_complete = 0;
  for (int run = 0; run < 20'000; ++run) {
    const std::vector<RequiredTerm> terms =
        RandomTerms(rng, /*max_terms=*/4, /*max_tokens=*/3, /*num_tokens=*/7);
    const ConstraintSet set = MakeSet(terms);
    Tokens tokens(rng() % 14);
    for (int32_t& id : tokens) id = 2 + static_cast<int32_t>(rng() % 7);
    const std::vector<bool> lacked = LackedTerms(tokens, terms, kContinuesWord);
    const bool has_all =
        std::find(lacked.begin(), lacked.end(), true) == lacked.end();
    num_complete += has_all ? 1 : 0;
    const int32_t num_missing = NumMissing(set, tokens);
    ASSERT_EQ(num_missing == 0, has_all);
    // A token adds at most one, and a term that is lacked needs its shortest
    // form, of which all but the last token may be there.
    size_t most = 0, least = 0;
    for (size_t i = 0; i < terms.size(); ++i) {
      if (!lacked[i]) continue;
      size_t shortest = terms[i][0].tokens.size();
      for (const TermForm& form : terms[i]) {
        shortest = std::min(shortest, form.tokens.size());
      }
      most += shortest;
      ++least;
    }
    ASSERT_LE(num_missing, most);
    ASSERT_GE(num_missing, least);
  }
  EXPECT_GT(num_complete, 2'000);
}

// ---- A search with constraints finds the best of all outputs that have them

// All outputs of at most `max_tokens` tokens, EOS included, with their scores.
struct Output {
  Tokens tokens;
  double score;
};

using LogProbs = std::function<std::vector<double>(const Tokens&)>;

void ListOutputs(const LogProbs& log_probs, size_t max_tokens,
                 const Tokens& tokens, double sum, std::vector<Output>& out) {
  if (tokens.size() == max_tokens) return out.push_back({tokens, sum});
  const std::vector<double> row = log_probs(tokens);
  out.push_back({tokens, sum + row[kEos]});
  for (int32_t id = 2; id < static_cast<int32_t>(row.size()); ++id) {
    Tokens next = tokens;
    next.push_back(id);
    ListOutputs(log_probs, max_tokens, next, sum + row[id], out);
  }
}

TEST(ConstrainedSearchTest, AWideBeamFindsTheBestOutputsThatHaveAllTerms) {
  constexpr int32_t kMaxTokens = 5;
  std::mt19937 rng(301);
  for (int run = 0; run < 150; ++run) {
    SCOPED_TRACE(run);
    // Tokens 2 to 4; of these only the last continues a word.
    const std::vector<bool> continues_word = {false, false, false, false, true};
    const std::vector<RequiredTerm> terms = RandomTerms(rng, 2, 2, 3);
    const uint32_t seed = rng();
    const LogProbs log_probs = [&](const Tokens& tokens) {
      std::seed_seq seeds(tokens.begin(), tokens.end());
      uint32_t hash = 0;
      seeds.generate(&hash, &hash + 1);
      std::mt19937 row_rng(seed ^ hash);
      std::normal_distribution<double> normal(0, 2);
      std::vector<double> row(5, -INFINITY);
      double sum = 0;
      for (int32_t id = 1; id < 5; ++id) {
        row[id] = normal(row_rng);
        sum += std::exp(row[id]);
      }
      for (double& x : row) x -= std::log(sum);
      return row;
    };
    std::vector<Output> expected;
    ListOutputs(log_probs, kMaxTokens, {}, 0, expected);
    expected.erase(std::remove_if(expected.begin(), expected.end(),
                                  [&](const Output& each) {
                                    return !HasAllTerms(each.tokens, terms,
                                                        continues_word);
                                  }),
                   expected.end());
    std::sort(
        expected.begin(), expected.end(),
        [](const Output& a, const Output& b) { return a.score > b.score; });

    SamplingParams sampling;
    sampling.beam_size = 1000;  // more than there are outputs
    sampling.num_hypotheses = 3;
    sampling.max_new_tokens = kMaxTokens;
    sampling.length_penalty = 0;  // so no later hypothesis is better
    const Tokens eos = {kEos};
    const ConstraintSet set(
        terms, std::make_shared<const std::vector<bool>>(continues_word),
        /*never=*/eos);
    BeamSearch search(sampling, eos, &set, Tokens{0});
    std::vector<Tokens> beams = {{0}};
    std::vector<double> sums = {0};
    while (true) {
      std::vector<BeamStep> candidates;
      for (size_t i = 0; i < beams.size(); ++i) {
        const std::vector<double> row =
            log_probs(Tokens(beams[i].begin() + 1, beams[i].end()));
        for (int32_t id = 1; id < 5; ++id) {
          candidates.push_back(
              {static_cast<int32_t>(i), id, sums[i] + row[id]});
        }
      }
      search.Advance(
          absl::MakeSpan(candidates),
          [&](int32_t beam) { return LiveTokens{beams[beam]}; },
          [](const BeamStep&) { return std::nullopt; });
      if (search.is_done()) break;
      std::vector<Tokens> next;
      sums.clear();
      for (const BeamStep& step : search.live()) {
        next.push_back(beams[step.parent]);
        next.back().push_back(step.token);
        sums.push_back(step.sum_logprob);
      }
      beams = std::move(next);
    }
    const size_t num = std::min<size_t>(3, expected.size());
    ASSERT_GE(search.finished().size(), num);
    for (size_t i = 0; i < num; ++i) {
      EXPECT_EQ(search.finished()[i].tokens, expected[i].tokens) << i;
      EXPECT_NEAR(search.finished()[i].score, expected[i].score, 1e-4);
    }
  }
}

}  // namespace
}  // namespace sheaf
