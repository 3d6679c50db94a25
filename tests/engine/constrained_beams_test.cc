// SPDX-License-Identifier: Apache-2.0

// Constraints of extensions in the continuous batch, with random logits that
// depend on all tokens so far.

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "engine/constraints.h"
#include "engine/lane.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/naive_constraints.h"
#include "tests/support/fake_model_runner.h"
#include "tests/support/recording_sink.h"

namespace sheaf {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using Tokens = std::vector<int32_t>;

constexpr int32_t kNumBlocks = 2000;
constexpr int32_t kVocabSize = FakeModelRunner::kVocabSize;
constexpr int32_t kEos = FakeModelRunner::kEos;

// One of two tokens continues a word.
std::shared_ptr<const std::vector<bool>> ContinuesWord() {
  auto out = std::make_shared<std::vector<bool>>(kVocabSize);
  for (int32_t id = 0; id < kVocabSize; ++id) (*out)[id] = id % 2 == 1;
  return out;
}

class ConstrainedBeamsTest : public ::testing::Test {
 protected:
  ConstrainedBeamsTest() {
    runner_.fill_logits = RandomLogits;
    LaneOptions options;
    options.runner = &runner_;
    options.kv_shape = {kNumBlocks, 1000, FakeModelRunner::kBlockTokens, 16};
    options.on_step = [this](const StepStats& stats) {
      gauges_ = stats.gauges;
    };
    lane_ = std::make_unique<Lane>(options, team_,
                                   kernels::KernelsFor(kernels::Isa::kPortable),
                                   [] { return MonotonicTime(); });
  }

  void AddOpen(RequestId id, RecordingSink& sink, const Tokens& start = {0}) {
    Request request;
    request.start_tokens = start;
    request.sink = &sink;
    request.is_open = true;
    lane_->Add(id, std::move(request), MonotonicTime());
  }
  static std::shared_ptr<SamplingParams> MakeSampling(int32_t beam_size) {
    auto sampling = std::make_shared<SamplingParams>();
    sampling->beam_size = beam_size;
    sampling->max_new_tokens = 60;
    return sampling;
  }
  std::shared_ptr<const ConstraintSet> MakeSet(
      const std::vector<RequiredTerm>& terms, const Tokens& never = {kEos}) {
    return std::make_shared<const ConstraintSet>(terms, continues_word_, never);
  }
  void Run() {
    while (lane_->has_work()) lane_->Step(absl::ZeroDuration());
    lane_->Report();
  }
  // Decodes one segment with these constraints.
  std::vector<Hypothesis> Decode(std::shared_ptr<const ConstraintSet> set,
                                 std::shared_ptr<const SamplingParams> sampling,
                                 const Tokens& start = {0}) {
    RecordingSink sink;
    AddOpen(1, sink, start);
    lane_->Extend(1, {.segments = {{5, 6}},
                      .sampling = std::move(sampling),
                      .constraints = std::move(set)});
    Run();
    EXPECT_TRUE(sink.Wait().ok()) << sink.Wait();
    EXPECT_EQ(sink.tokens(), sink.hypotheses().front().tokens);
    return sink.hypotheses();
  }

  ThreadTeam team_{2};
  FakeModelRunner runner_{kNumBlocks};
  EngineGauges gauges_;
  const std::shared_ptr<const std::vector<bool>> continues_word_ =
      ContinuesWord();
  std::unique_ptr<Lane> lane_;
};

TEST_F(ConstrainedBeamsTest, TheRulesHoldForTerms) {
  const std::vector<RequiredTerm> terms = {{{{20, 21, 22}}}, {{{30}}, {{40}}}};
  const auto sampling = MakeSampling(4);
  sampling->suppressed_tokens = {30};
  sampling->min_new_tokens = 12;
  sampling->length_penalty = 0;  // prefers short outputs
  const std::vector<Hypothesis> found = Decode(MakeSet(terms), sampling);
  EXPECT_EQ(found[0].finish_reason, FinishReason::kEos);
  EXPECT_GE(found[0].tokens.size(), 12);
  EXPECT_THAT(found[0].tokens, Not(Contains(30)));
  EXPECT_TRUE(HasAllTerms(found[0].tokens, terms, *continues_word_));
}

TEST_F(ConstrainedBeamsTest, ATermThatTheRulesForbidLeavesTheBestWithoutIt) {
  const std::vector<RequiredTerm> terms = {{{{20, 22}}}, {{{30}}}};
  const auto sampling = MakeSampling(4);
  sampling->suppressed_tokens = {30};
  const std::vector<Hypothesis> found = Decode(MakeSet(terms), sampling);
  EXPECT_TRUE(HasAllTerms(found[0].tokens, {terms[0]}, *continues_word_));
  // A set that knows of it does not search for it to the end.
  int num_steps = 0;
  runner_.before_decode = [&](int32_t) { ++num_steps; };
  const std::vector<Hypothesis> known =
      Decode(MakeSet(terms, {kEos, 30}), sampling);
  EXPECT_TRUE(HasAllTerms(known[0].tokens, {terms[0]}, *continues_word_));
  EXPECT_LT(num_steps, sampling->max_new_tokens);
}

TEST_F(ConstrainedBeamsTest, ForcedStartTokensMeetTerms) {
  const std::vector<RequiredTerm> terms = {{{{20, 22}}}};
  const std::vector<Hypothesis> met =
      Decode(MakeSet(terms), MakeSampling(4), {0, 9, 20, 22});
  EXPECT_EQ(std::count(met[0].tokens.begin(), met[0].tokens.end(), 20), 1);
}

TEST_F(ConstrainedBeamsTest, NeedBeams) {
  RecordingSink sink;
  AddOpen(1, sink);
  lane_->Extend(1, {.segments = {{5}},
                    .sampling = MakeSampling(1),
                    .constraints = MakeSet({{{{20}}}})});
  Run();
  EXPECT_TRUE(absl::IsInternal(sink.Wait()));
  EXPECT_THAT(std::string(sink.Wait().message()), HasSubstr("beam_size is 1"));
}

double LogProb(const Tokens& source, const Tokens& before, int32_t token) {
  std::vector<float> logits(kVocabSize);
  RandomLogits(source, before, absl::MakeSpan(logits));
  double sum = 0;
  for (float x : logits) sum += std::exp(double{x});
  return logits[token] - std::log(sum);
}

double ScoreOf(const Tokens& source, const Hypothesis& hypothesis,
               float length_penalty) {
  Tokens before = {0};
  double sum = 0;
  for (int32_t token : hypothesis.tokens) {
    sum += LogProb(source, before, token);
    before.push_back(token);
  }
  size_t length = hypothesis.tokens.size();
  if (hypothesis.finish_reason == FinishReason::kEos) {
    sum += LogProb(source, before, kEos);
    ++length;
  }
  return sum / std::pow(length, double{length_penalty});
}

std::vector<RequiredTerm> RandomTerms(std::mt19937& rng) {
  std::vector<RequiredTerm> terms(1 + rng() % 5);
  for (RequiredTerm& term : terms) {
    term.resize(1 + rng() % 3);
    for (TermForm& form : term) {
      form.ends_word = rng() % 2 == 0;
      form.tokens.resize(1 + rng() % 4);
      for (int32_t& id : form.tokens) {
        id = 2 + static_cast<int32_t>(rng() % (kVocabSize - 2));
      }
    }
  }
  return terms;
}

TEST_F(ConstrainedBeamsTest, AnyMixOfRequestsGivesAllTermsAndTheirScores) {
  constexpr int kRequests = 60;
  struct Case {
    Tokens source;
    std::vector<RequiredTerm> terms;
    std::shared_ptr<SamplingParams> sampling;
    RecordingSink sink;
  };
  std::mt19937 rng(301);
  std::vector<std::unique_ptr<Case>> cases;
  for (int i = 0; i < kRequests; ++i) {
    auto& each = *cases.emplace_back(std::make_unique<Case>());
    each.source = {2 + i, 3};
    each.terms = RandomTerms(rng);
    each.sampling = MakeSampling(2 + static_cast<int32_t>(rng() % 15));
    each.sampling->num_hypotheses = each.sampling->beam_size;
    each.sampling->length_penalty = static_cast<float>(rng() % 3) * 0.5f;
    each.sampling->search_end = static_cast<SearchEnd>(rng() % 3);
    AddOpen(i, each.sink);
    lane_->Extend(i, {.segments = {each.source},
                      .sampling = each.sampling,
                      .constraints = MakeSet(each.terms)});
    if (rng() % 2 == 0) lane_->Step(absl::ZeroDuration());
  }
  Run();
  for (const auto& each : cases) {
    ASSERT_TRUE(each->sink.Wait().ok());
    EXPECT_EQ(each->sink.tokens(), each->sink.hypotheses()[0].tokens);
    for (const Hypothesis& found : each->sink.hypotheses()) {
      EXPECT_NEAR(found.score,
                  ScoreOf(each->source, found, each->sampling->length_penalty),
                  1e-3);
    }
    const Hypothesis& best = each->sink.hypotheses()[0];
    EXPECT_TRUE(HasAllTerms(best.tokens, each->terms, *continues_word_));
    if (each->sampling->length_penalty == 0) {  // a longer one is no better
      EXPECT_EQ(best.finish_reason, FinishReason::kEos);
    }
  }
  EXPECT_EQ(gauges_.kv.self_used + gauges_.kv.cross_used, 0);
  EXPECT_EQ(gauges_.num_sequences_running, 0);
}

}  // namespace
}  // namespace sheaf
