// SPDX-License-Identifier: Apache-2.0

// Beams in the continuous batch, with a model whose next token depends on all
// tokens that the KV blocks hold. A block that is shared or copied wrongly
// changes the output.

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "engine/engine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/naive_beam_search.h"
#include "tests/support/fake_model_runner.h"
#include "tests/support/recording_sink.h"

namespace sheaf {
namespace {

using Tokens = std::vector<int32_t>;

constexpr int32_t kNumBlocks = 256;
constexpr int32_t kBlockBytes = 1000;
constexpr int32_t kVocabSize = FakeModelRunner::kVocabSize;

std::vector<double> LogSoftmax(const std::vector<float>& logits) {
  double sum = 0;
  for (float x : logits) sum += std::exp(double{x});
  std::vector<double> out;
  for (float x : logits) out.push_back(x - std::log(sum));
  return out;
}

struct Outcome {
  std::vector<Hypothesis> hypotheses;
  Tokens streamed;
};

class EngineBeamsTest : public ::testing::Test {
 protected:
  EngineBeamsTest() {
    runner_.fill_logits = RandomLogits;
    runner_.runner_limits.max_sequences = 16;
    LaneOptions lane;
    lane.runner = &runner_;
    lane.kv_shape = {kNumBlocks, kBlockBytes, FakeModelRunner::kBlockTokens,
                     16};
    lane.max_queue = 1000;
    lane.on_step = [this](const StepStats& stats) {
      absl::MutexLock lock(&mutex_);
      gauges_ = stats.gauges;
      max_used_ =
          std::max(max_used_, gauges_.kv.self_used + gauges_.kv.cross_used);
      num_loops_ += stats.num_loops;
      num_generated_ += stats.num_generated_tokens;
    };
    engine_ = std::make_unique<Engine>(
        EngineOptions(), team_, kernels::KernelsFor(kernels::Isa::kPortable),
        std::vector<LaneOptions>{lane});
  }

  static Request MakeRequest(Tokens source, int32_t beam_size,
                             int32_t max_new_tokens) {
    Request request;
    request.start_tokens = {FakeModelRunner::kStart};
    request.segments = {std::move(source)};
    request.sampling.beam_size = beam_size;
    request.sampling.num_hypotheses = beam_size;
    request.sampling.max_new_tokens = max_new_tokens;
    return request;
  }
  Outcome Run(Request request) {
    RecordingSink sink;
    request.sink = &sink;
    EXPECT_TRUE(engine_->Submit(/*lane=*/0, std::move(request)).ok());
    EXPECT_TRUE(sink.Wait().ok());
    return {sink.hypotheses(), sink.tokens()};
  }
  int64_t MaxUsedBy(Request request) {
    {
      absl::MutexLock lock(&mutex_);
      max_used_ = 0;
    }
    Run(std::move(request));
    absl::MutexLock lock(&mutex_);
    return max_used_;
  }
  void ExpectNothingHeld() {
    EXPECT_TRUE(engine_->WaitUntilIdle(absl::InfiniteDuration()));
    absl::MutexLock lock(&mutex_);
    EXPECT_EQ(gauges_.kv.self_used + gauges_.kv.cross_used, 0);
    EXPECT_EQ(gauges_.kv.self_reserved + gauges_.kv.cross_reserved, 0);
    EXPECT_EQ(gauges_.num_sequences_running, 0);
  }

  ThreadTeam team_{2};
  FakeModelRunner runner_{kNumBlocks};
  absl::Mutex mutex_;
  EngineGauges gauges_ ABSL_GUARDED_BY(mutex_);
  int64_t max_used_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t num_loops_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t num_generated_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineBeamsTest, BeamsAreTheDefinitionsOverManyBlocks) {
  for (int32_t beam_size : {2, 3, 4, 16}) {
    for (SearchEnd search_end :
         {SearchEnd::kImmediately, SearchEnd::kNoLiveBeamBetter,
          SearchEnd::kNoLiveBeamCanWin}) {
      SCOPED_TRACE(beam_size);
      const Tokens source = {7, 8, beam_size};
      Request request = MakeRequest(source, beam_size, /*max_new_tokens=*/80);
      request.sampling.search_end = search_end;
      request.sampling.length_penalty = 2.0f;  // prefers long hypotheses
      request.start_tokens = {FakeModelRunner::kStart, 30, 31, 32};
      request.sampling.suppressed_tokens = {5, 6};
      const auto log_probs = [&](const Tokens& tokens) {
        std::vector<float> logits(kVocabSize);
        RandomLogits(source, tokens, absl::MakeSpan(logits));
        std::vector<double> row = LogSoftmax(logits);
        for (int32_t id : {5, 6}) row[id] = -INFINITY;
        return row;
      };
      const std::vector<Hypothesis> expected = NaiveBeamSearch(
          log_probs, request.sampling, FakeModelRunner::kEos, {0, 30, 31, 32});
      const Outcome outcome = Run(request);
      ASSERT_EQ(outcome.hypotheses.size(), expected.size());
      for (size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(outcome.hypotheses[i].tokens, expected[i].tokens) << i;
        EXPECT_NEAR(outcome.hypotheses[i].score, expected[i].score, 1e-4);
      }
      EXPECT_EQ(outcome.streamed, expected.front().tokens);
    }
  }
  EXPECT_GT(runner_.num_copies, 0);
  ExpectNothingHeld();
}

// Four beams that differ from the first chosen token on.
void FourPaths(const Tokens&, const Tokens& tokens, absl::Span<float> logits) {
  constexpr int32_t kFirst = 40;
  std::fill(logits.begin(), logits.end(), -20.0f);
  if (tokens.back() < kFirst) {
    for (int32_t id = kFirst; id < kFirst + 4; ++id) logits[id] = 5.0f;
  } else {
    logits[tokens.back()] = 20.0f;
  }
}

TEST_F(EngineBeamsTest, OnlyABlockThatIsPartlyFilledIsCopied) {
  runner_.fill_logits = FourPaths;
  Run(MakeRequest({7}, /*beam_size=*/4, /*max_new_tokens=*/60));
  // One beam became four once, with one token in its block, so there are three
  // copies.
  EXPECT_EQ(runner_.num_copies, 3);
  runner_.num_copies = 0;
  Request request = MakeRequest({7}, 4, 60);
  request.start_tokens = Tokens(16, 3);  // a block
  Run(std::move(request));
  EXPECT_EQ(runner_.num_copies, 0);
}

// Shared blocks exist once. In the worst case, beams share only the source. A
// source of 512 tokens takes 32 blocks, and 60 new tokens take 4 per beam.
TEST_F(EngineBeamsTest, FourBeamsOnALongSourceTakeFarLessThanFourTimes) {
  runner_.fill_logits = FourPaths;
  const Tokens source(512, 7);
  const int64_t greedy = MaxUsedBy(MakeRequest(source, 1, 60));
  const int64_t beams = MaxUsedBy(MakeRequest(source, 4, 60));
  EXPECT_EQ(greedy, (32 + 4) * kBlockBytes);
  EXPECT_EQ(beams, (32 + 4 * 4) * kBlockBytes);
  EXPECT_LT(beams, 1.5 * greedy);
  // The full blocks of common start tokens count once, too.
  Request shared = MakeRequest(source, 4, 60);
  shared.start_tokens = Tokens(33, 3);
  EXPECT_EQ(MaxUsedBy(std::move(shared)), (32 + 2 + 4 * 2) * kBlockBytes);
}

TEST_F(EngineBeamsTest, WhatAllBeamsAgreeOnIsSentBeforeTheEnd) {
  // The first 20 tokens are certain, the others are not.
  runner_.fill_logits = [](const Tokens& source, const Tokens& tokens,
                           absl::Span<float> logits) {
    RandomLogits(source, tokens, logits);
    if (tokens.size() <= 20) logits[50] = 40.0f;
    logits[FakeModelRunner::kEos] = -50.0f;
  };
  absl::Mutex mutex;
  bool may_go_on = false;
  runner_.before_decode = [&, num_steps = 0](int32_t) mutable {
    if (++num_steps < 30) return;
    absl::MutexLock lock(&mutex);
    mutex.Await(absl::Condition(&may_go_on));
  };
  RecordingSink sink;
  Request request = MakeRequest({7}, 4, 60);
  request.sink = &sink;
  ASSERT_TRUE(engine_->Submit(/*lane=*/0, std::move(request)).ok());
  sink.WaitForTokens(19);
  EXPECT_FALSE(sink.HasFinished());
  {
    absl::MutexLock lock(&mutex);
    may_go_on = true;
  }
  EXPECT_TRUE(sink.Wait().ok());
  EXPECT_EQ(sink.tokens(), sink.hypotheses().front().tokens);
  absl::MutexLock lock(&mutex_);
  EXPECT_EQ(num_generated_, 60);
}

// Is met by the third 77 of an output.
class ThirdOf77 : public StopCondition {
 public:
  bool IsMet(absl::Span<const int32_t> tokens, int32_t next) const override {
    return next == 77 && std::count(tokens.begin(), tokens.end(), 77) == 2;
  }
};

TEST_F(EngineBeamsTest, AStopEndsASequenceAndABeamAtItsToken) {
  runner_.fill_logits = [](const Tokens& source, const Tokens& tokens,
                           absl::Span<float> logits) {
    RandomLogits(source, tokens, logits);
    logits[FakeModelRunner::kEos] = -50.0f;
    if (tokens.size() >= 5) logits[77] = 50.0f;
  };
  for (int32_t beam_size : {1, 4}) {
    RecordingSink sink;
    Request request = MakeRequest({7}, beam_size, 40);
    request.stop = std::make_shared<ThirdOf77>();
    request.sink = &sink;
    ASSERT_TRUE(engine_->Submit(/*lane=*/0, std::move(request)).ok());
    EXPECT_TRUE(sink.Wait().ok());
    ASSERT_EQ(sink.hypotheses().size(), beam_size);
    for (const Hypothesis& each : sink.hypotheses()) {
      EXPECT_EQ(each.finish_reason, FinishReason::kStopSequence);
      EXPECT_EQ(each.tokens.size(), 7);
      EXPECT_EQ(each.tokens.back(), 77);
    }
  }
}

TEST_F(EngineBeamsTest, TheLoopGuardEndsWhatRepeatsAndCountsIt) {
  runner_.fill_logits = FourPaths;
  for (int32_t beam_size : {1, 4}) {
    Request request = MakeRequest({7}, beam_size, 100);
    request.sampling.has_loop_guard = true;
    const Outcome outcome = Run(request);
    for (const Hypothesis& each : outcome.hypotheses) {
      EXPECT_EQ(each.finish_reason, FinishReason::kRepetition);
      EXPECT_EQ(each.tokens.size(), 32);
    }
    request.sampling.has_loop_guard = false;
    EXPECT_EQ(Run(request).hypotheses[0].finish_reason, FinishReason::kLength);
  }
  absl::MutexLock lock(&mutex_);
  EXPECT_EQ(num_loops_, 2);
}

TEST_F(EngineBeamsTest, RulesThatForbidEverythingEndTheBeams) {
  Request request = MakeRequest({7}, 4, 20);
  for (int32_t id = 0; id < kVocabSize; ++id) {
    request.sampling.suppressed_tokens.push_back(id);
  }
  const Outcome outcome = Run(std::move(request));
  ASSERT_EQ(outcome.hypotheses.size(), 1);
  EXPECT_EQ(outcome.hypotheses[0].finish_reason, FinishReason::kEos);
}

Request RandomRequest(int index) {
  std::mt19937 rng(index);
  Request request;
  request.start_tokens = {FakeModelRunner::kStart};
  for (uint32_t left = 1 + rng() % 2; left > 0; --left) {
    Tokens source(1 + rng() % 40);
    for (int32_t& id : source) id = 2 + static_cast<int32_t>(rng() % 98);
    request.segments.push_back(source);
  }
  SamplingParams& sampling = request.sampling;
  sampling.max_new_tokens = 1 + static_cast<int32_t>(rng() % 50);
  switch (rng() % 3) {
    case 0:
      sampling.beam_size = 2 + static_cast<int32_t>(rng() % 5);
      sampling.num_hypotheses = sampling.beam_size;
      sampling.search_end = static_cast<SearchEnd>(rng() % 3);
      sampling.length_penalty = 0.5f * static_cast<float>(rng() % 5);
      break;
    case 1:
      sampling.temperature = 0.9f;
      sampling.top_k = static_cast<int32_t>(rng() % 3) * 10;
      sampling.top_p = rng() % 2 ? 0.9f : 1.0f;
      sampling.seed = index;
      break;
    default:
      break;
  }
  if (rng() % 3 == 0) sampling.no_repeat_ngram_size = 2;
  if (rng() % 3 == 0) sampling.repetition_penalty = 1.3f;
  if (rng() % 4 == 0 && sampling.max_new_tokens > 20) {
    request.start_tokens.resize(1 + rng() % 20, 9);
  }
  sampling.has_loop_guard = rng() % 2;
  return request;
}

TEST_F(EngineBeamsTest, AnyMixGivesEachWhatItGetsAloneAndLeaksNothing) {
  constexpr int kRequests = 150;
  std::vector<std::vector<Outcome>> alone(kRequests);
  const auto outcomes = [](RecordingSink& sink, size_t num_segments) {
    std::vector<Outcome> out;
    for (size_t i = 0; i < num_segments; ++i) {
      out.push_back({sink.hypotheses(i), sink.tokens(i)});
    }
    return out;
  };
  for (int i = 0; i < kRequests; ++i) {
    Request request = RandomRequest(i);
    const size_t num_segments = request.segments.size();
    RecordingSink sink(num_segments);
    request.sink = &sink;
    ASSERT_TRUE(engine_->Submit(/*lane=*/0, std::move(request)).ok());
    ASSERT_TRUE(sink.Wait().ok());
    alone[i] = outcomes(sink, num_segments);
  }
  std::mt19937 rng(301);
  std::vector<std::unique_ptr<RecordingSink>> sinks;
  std::vector<bool> is_cancelled;
  for (int i = 0; i < kRequests; ++i) {
    Request request = RandomRequest(i);
    sinks.push_back(std::make_unique<RecordingSink>(request.segments.size()));
    request.sink = sinks.back().get();
    const auto id = engine_->Submit(/*lane=*/0, std::move(request));
    ASSERT_TRUE(id.ok());
    is_cancelled.push_back(rng() % 5 == 0);
    if (rng() % 4 == 0) sinks[rng() % sinks.size()]->Wait();
    if (is_cancelled.back()) engine_->Cancel(*id);
  }
  int num_compared = 0;
  for (int i = 0; i < kRequests; ++i) {
    SCOPED_TRACE(i);
    const absl::Status status = sinks[i]->Wait();
    if (!status.ok()) {
      EXPECT_TRUE(is_cancelled[i]) << status;
      continue;
    }
    ++num_compared;
    const std::vector<Outcome> together = outcomes(*sinks[i], alone[i].size());
    for (size_t s = 0; s < alone[i].size(); ++s) {
      EXPECT_EQ(together[s].streamed, alone[i][s].streamed);
      ASSERT_EQ(together[s].hypotheses.size(), alone[i][s].hypotheses.size());
      for (size_t h = 0; h < together[s].hypotheses.size(); ++h) {
        const Hypothesis& a = together[s].hypotheses[h];
        const Hypothesis& b = alone[i][s].hypotheses[h];
        EXPECT_EQ(a.tokens, b.tokens);
        EXPECT_EQ(a.score, b.score);
        EXPECT_EQ(a.finish_reason, b.finish_reason);
      }
    }
  }
  EXPECT_GT(num_compared, kRequests / 2);
  ExpectNothingHeld();
}

TEST_F(EngineBeamsTest, AnOpenRequestGoesOnWithTheSegmentsItGets) {
  RecordingSink sink(3);
  Request request = MakeRequest({7}, 1, 30);
  request.is_open = true;
  request.max_segment_tokens = 20;
  request.sink = &sink;
  const auto id = engine_->Submit(/*lane=*/0, std::move(request));
  ASSERT_TRUE(id.ok());
  engine_->Drain();  // accepted requests run to their end
  engine_->Extend(*id, {.segments = {{8, 9}}, .is_open = true});
  EXPECT_FALSE(engine_->WaitUntilIdle(absl::Milliseconds(50)));
  engine_->Extend(*id, {.segments = {{10}}});
  EXPECT_TRUE(sink.Wait().ok());
  for (int32_t i = 0; i < 3; ++i) EXPECT_EQ(sink.hypotheses(i).size(), 1);
  ExpectNothingHeld();
}

TEST_F(EngineBeamsTest, AnExtensionSetsTheStopOfTheSegmentsThatItAdds) {
  runner_.fill_logits = [](const Tokens&, const Tokens&,
                           absl::Span<float> logits) { logits[77] = 50.0f; };
  RecordingSink sink(3);
  Request request = MakeRequest({7}, 1, 10);
  request.is_open = true;
  request.max_segment_tokens = 20;
  request.sink = &sink;
  const auto id = engine_->Submit(/*lane=*/0, std::move(request));
  ASSERT_TRUE(id.ok());
  sink.WaitForTokens(10);
  engine_->Extend(*id, {.segments = {{8}}, .is_open = true});
  sink.WaitForTokens(10, /*segment_index=*/1);
  engine_->Extend(*id,
                  {.segments = {{9}}, .stop = std::make_shared<ThirdOf77>()});
  EXPECT_TRUE(sink.Wait().ok());
  EXPECT_THAT(sink.tokens(0), testing::SizeIs(10));
  EXPECT_THAT(sink.tokens(1), testing::SizeIs(10));
  EXPECT_THAT(sink.tokens(2), testing::SizeIs(3));
}

TEST_F(EngineBeamsTest, AnOpenRequestThatIsNotExtendedEndsByItsDeadline) {
  RecordingSink sink;
  Request request = MakeRequest({7}, 1, 5);
  request.is_open = true;
  request.max_segment_tokens = 20;
  request.deadline = MonotonicTime::Now() + absl::Milliseconds(50);
  request.sink = &sink;
  ASSERT_TRUE(engine_->Submit(/*lane=*/0, std::move(request)).ok());
  EXPECT_EQ(sink.Wait().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(EngineBeamsTest, AnOpenRequestIsClosedWithNothingMore) {
  RecordingSink sink;
  Request request = MakeRequest({7}, 1, 5);
  request.is_open = true;
  request.sink = &sink;
  const auto id = engine_->Submit(/*lane=*/0, std::move(request));
  ASSERT_TRUE(id.ok());
  engine_->Extend(*id, {});
  EXPECT_TRUE(sink.Wait().ok());
  EXPECT_EQ(sink.hypotheses().size(), 1);
}

}  // namespace
}  // namespace sheaf
