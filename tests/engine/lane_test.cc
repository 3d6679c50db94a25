// SPDX-License-Identifier: Apache-2.0

#include "engine/lane.h"

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "engine/engine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_model_runner.h"
#include "tests/support/recording_sink.h"

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int32_t kNumBlocks = 128;

using Tokens = std::vector<int32_t>;

Request MakeRequest(std::vector<int32_t> source, RecordingSink& sink,
                    int32_t max_new_tokens = 40) {
  Request request;
  request.start_tokens = {FakeModelRunner::kStart};
  request.segments.push_back(source);
  request.sampling.max_new_tokens = max_new_tokens;
  request.sink = &sink;
  return request;
}

const kernels::Kernels& Kernels() {
  return kernels::KernelsFor(kernels::Isa::kPortable);
}

// ---- One lane, stepped by the test, with a scripted clock ----

class LaneTest : public ::testing::Test {
 protected:
  LaneTest() {
    runner_.before_decode = [this](int32_t) { now_ += kDecodeTime; };
    runner_.before_advance = [this](EncodePass, int64_t token_layers) {
      slices_.push_back(token_layers);
      now_ += absl::Milliseconds(token_layers);  // 1,000 per second
    };
    runner_.advances_per_pass = 1000;
    lane_ = std::make_unique<Lane>(MakeOptions(), team_, Kernels(),
                                   [this] { return now_; });
  }

  LaneOptions MakeOptions() {
    LaneOptions options;
    options.runner = &runner_;
    options.kv_shape = {kNumBlocks, 1000, 16, 16};
    options.on_step = [this](const StepStats& stats) {
      num_waiting_ = stats.gauges.num_requests_waiting;
    };
    options.on_left_queue = [this](RequestId id) { left_queue_.push_back(id); };
    return options;
  }

  static constexpr absl::Duration kDecodeTime = absl::Milliseconds(100);

  ThreadTeam team_{1};
  FakeModelRunner runner_{kNumBlocks};
  MonotonicTime now_;
  std::vector<int64_t> slices_;
  int32_t num_waiting_ = -1;
  std::vector<RequestId> left_queue_;
  std::unique_ptr<Lane> lane_;
};

TEST_F(LaneTest, StepReturnsTheTimeOfItsOwnDecode) {
  runner_.advances_per_pass = 2;
  RecordingSink sink;
  lane_->Add(1, MakeRequest({5, 6}, sink), now_);
  EXPECT_EQ(lane_->Step(absl::Seconds(9)), absl::ZeroDuration());
  EXPECT_EQ(lane_->Step(absl::Seconds(9)), kDecodeTime);
}

TEST_F(LaneTest, TheFirstTokenFollowsInTheStepThatEndsTheEncoding) {
  runner_.advances_per_pass = 1;
  RecordingSink sink;
  lane_->Add(1, MakeRequest({5, 6}, sink), now_);
  lane_->Step(absl::ZeroDuration());
  EXPECT_THAT(sink.tokens(), ElementsAre(5));
  lane_->EndAll(absl::CancelledError(""));
  lane_->Report();
}

TEST_F(LaneTest, ARequestLeavesTheQueueWhenItIsFirstAdmitted) {
  RecordingSink sink(2);
  Request request = MakeRequest({5}, sink);
  request.segments.push_back(std::vector<int32_t>{6});
  lane_->Add(1, std::move(request), now_);
  EXPECT_THAT(left_queue_, IsEmpty());
  lane_->Step(absl::ZeroDuration());
  EXPECT_THAT(left_queue_, ElementsAre(1));
  lane_->EndAll(absl::CancelledError(""));
  EXPECT_THAT(left_queue_, ElementsAre(1));
  lane_->Report();
}

TEST_F(LaneTest, OnlyARequestThatWaitsForItsFirstPlaceIsEvicted) {
  runner_.advances_per_pass = 1;
  RecordingSink running, waiting;
  lane_->Add(1, MakeRequest({5, 6}, running), now_);
  lane_->Step(absl::ZeroDuration());
  Request request = MakeRequest({7}, waiting);
  request.caller = "web";
  lane_->Add(2, std::move(request), now_);
  lane_->Evict(1);
  lane_->Evict(2);
  lane_->Evict(7);  // there is no such request
  lane_->Report();
  EXPECT_FALSE(running.HasFinished());
  EXPECT_TRUE(absl::IsResourceExhausted(waiting.Wait()));
  EXPECT_THAT(std::string(waiting.Wait().message()),
              AllOf(HasSubstr("of \"web\""), HasSubstr("another caller"),
                    HasSubstr("queues at most 256")));
  EXPECT_THAT(left_queue_, ElementsAre(1, 2));
  lane_->EndAll(absl::CancelledError(""));
  lane_->Report();
}

TEST_F(LaneTest, ASliceIsLargeOnlyWhileNoLaneDecodes) {
  RecordingSink sink;
  lane_->Add(1, MakeRequest(std::vector<int32_t>(500, 5), sink), now_);
  lane_->Step(/*others_decode_time=*/absl::ZeroDuration());
  lane_->Step(/*others_decode_time=*/absl::Milliseconds(50));
  lane_->Step(/*others_decode_time=*/absl::Milliseconds(200));
  EXPECT_THAT(slices_, ElementsAre(EncodePacer::kSliceAlone, 60, 240));
  lane_->EndAll(absl::CancelledError(""));
  lane_->Report();
}

TEST_F(LaneTest, ItsOwnDecodeTimeAndThatOfOthersAddUp) {
  runner_.advances_per_overtaking_pass = 1;
  RecordingSink encoding, decoding;
  lane_->Add(1, MakeRequest(std::vector<int32_t>(500, 5), encoding), now_);
  lane_->Step(absl::ZeroDuration());
  lane_->Add(2, MakeRequest({5, 6, 7, 8}, decoding), now_);
  // The second request overtakes, and its first token follows at once.
  lane_->Step(absl::ZeroDuration());
  slices_.clear();
  lane_->Step(absl::ZeroDuration());
  lane_->Step(absl::Milliseconds(200));
  EXPECT_THAT(slices_, ElementsAre(120, 360));
  lane_->EndAll(absl::CancelledError(""));
  lane_->Report();
}

TEST_F(LaneTest, ReportPublishesTheFiguresAndThenTellsTheSinks) {
  RecordingSink first, second;
  lane_->Add(1, MakeRequest({5}, first), now_);
  lane_->Add(2, MakeRequest({6}, second), now_);
  lane_->Cancel(1);
  lane_->Cancel(7);  // there is no such request
  EXPECT_TRUE(lane_->has_changed());
  EXPECT_EQ(lane_->num_ended(), 1);
  EXPECT_THAT(left_queue_, ElementsAre(1));
  EXPECT_FALSE(first.HasFinished());
  lane_->Report();
  EXPECT_EQ(num_waiting_, 1);
  EXPECT_TRUE(first.HasFinished());
  EXPECT_FALSE(lane_->has_changed());
  lane_->EndAll(absl::CancelledError(""));
  lane_->Report();
  EXPECT_TRUE(second.HasFinished());
}

TEST_F(LaneTest, ADeadlineEndsARequestThatWaits) {
  RecordingSink sink;
  Request request = MakeRequest({5}, sink);
  request.deadline = now_ + absl::Seconds(3);
  lane_->Add(1, std::move(request), now_);
  EXPECT_EQ(lane_->FirstDeadline(), now_ + absl::Seconds(3));
  now_ += absl::Seconds(2);
  lane_->ExpireDeadlines();
  EXPECT_EQ(lane_->num_ended(), 0);
  now_ += absl::Seconds(1);
  lane_->ExpireDeadlines();
  EXPECT_EQ(lane_->FirstDeadline(), MonotonicTime::InfiniteFuture());
  lane_->Report();
  EXPECT_TRUE(absl::IsDeadlineExceeded(sink.Wait()));
}

std::shared_ptr<SamplingParams> MakeSampling(int32_t max_new_tokens) {
  auto sampling = std::make_shared<SamplingParams>();
  sampling->max_new_tokens = max_new_tokens;
  return sampling;
}

// A source of the lane's fake is copied.
class ExtensionTest : public LaneTest {
 protected:
  ExtensionTest() { runner_.advances_per_pass = 1; }

  // Adds an open request, which has id 1.
  void AddOpen(const TokenLists& segments, RecordingSink& sink) {
    Request request = MakeRequest({}, sink);
    request.segments = segments;
    request.is_open = true;
    request.max_segment_tokens = 20;
    lane_->Add(1, std::move(request), now_);
  }
  // Takes steps until nothing runs.
  void Run() {
    while (lane_->has_work()) lane_->Step(absl::ZeroDuration());
    lane_->Report();
  }
};

TEST_F(ExtensionTest, ItsSegmentsHaveItsOwnSamplingParams) {
  RecordingSink sink(4);
  AddOpen({{5, 6, 7, 8}}, sink);
  lane_->Extend(1, {.segments = {{5, 6, 7, 8}, {9}},
                    .is_open = true,
                    .sampling = MakeSampling(/*max_new_tokens=*/2)});
  const std::shared_ptr<SamplingParams> beams = MakeSampling(40);
  beams->beam_size = beams->num_hypotheses = 3;
  beams->suppressed_tokens = {6};
  lane_->Extend(1, {.segments = {{5, 6, 7, 8}}, .sampling = beams});
  Run();
  ASSERT_TRUE(sink.Wait().ok());
  EXPECT_THAT(sink.tokens(0), ElementsAre(5, 6, 7, 8));
  EXPECT_THAT(sink.tokens(1), ElementsAre(5, 6));
  EXPECT_EQ(sink.hypotheses(1)[0].finish_reason, FinishReason::kLength);
  EXPECT_THAT(sink.tokens(2), ElementsAre(9));
  EXPECT_EQ(sink.hypotheses(3).size(), 3);
  EXPECT_THAT(sink.tokens(3), Not(Contains(6)));
}

TEST_F(ExtensionTest, ItsLoopGuardCountsForItsSegmentsOnly) {
  runner_.fill_logits = [](const auto&, const auto&, absl::Span<float> logits) {
    logits[7] = 10.0f;  // for ever
  };
  RecordingSink sink(2);
  AddOpen({{5}}, sink);
  const std::shared_ptr<SamplingParams> guarded = MakeSampling(60);
  guarded->has_loop_guard = true;
  lane_->Extend(1, {.segments = {{5}}, .sampling = guarded});
  Run();
  ASSERT_TRUE(sink.Wait().ok());
  EXPECT_EQ(sink.hypotheses(0)[0].finish_reason, FinishReason::kLength);
  EXPECT_EQ(sink.hypotheses(1)[0].finish_reason, FinishReason::kRepetition);
}

class StopAt : public StopCondition {
 public:
  explicit StopAt(int32_t token) : token_(token) {}
  bool IsMet(absl::Span<const int32_t> /*tokens*/,
             int32_t next) const override {
    return next == token_;
  }

 private:
  const int32_t token_;
};

TEST_F(ExtensionTest, ItsStopConditionCountsForItsSegmentsOnly) {
  RecordingSink sink(3);
  AddOpen({{5, 6, 7}}, sink);
  lane_->Extend(1, {.segments = {{5, 6, 7}},
                    .is_open = true,
                    .stop = std::make_shared<StopAt>(6)});
  lane_->Extend(1, {.segments = {{5, 6, 7}}});
  Run();
  ASSERT_TRUE(sink.Wait().ok());
  EXPECT_THAT(sink.tokens(0), ElementsAre(5, 6, 7));
  EXPECT_THAT(sink.tokens(1), ElementsAre(5, 6));
  EXPECT_THAT(sink.tokens(2), ElementsAre(5, 6, 7));
}

TEST_F(ExtensionTest, SeveralFollowEachOtherWhileEarlierSegmentsRun) {
  RecordingSink sink(4);
  AddOpen({Tokens(15, 5), Tokens(3, 6)}, sink);
  lane_->Step(absl::ZeroDuration());
  lane_->Extend(1, {.segments = {Tokens(12, 7)},
                    .is_open = true,
                    .sampling = MakeSampling(40)});
  for (int i = 0; i < 5; ++i) lane_->Step(absl::ZeroDuration());
  EXPECT_EQ(sink.hypotheses(1).size(), 1);  // has finished
  lane_->Extend(1, {.segments = {Tokens(2, 8)}, .is_open = true});
  Run();
  EXPECT_FALSE(sink.HasFinished());
  lane_->Extend(1, {});
  lane_->Report();
  ASSERT_TRUE(sink.Wait().ok());
  EXPECT_EQ(sink.tokens(0), Tokens(15, 5));
  EXPECT_EQ(sink.tokens(1), Tokens(3, 6));
  EXPECT_EQ(sink.tokens(2), Tokens(12, 7));
  EXPECT_EQ(sink.tokens(3), Tokens(2, 8));
}

TEST_F(ExtensionTest, ARequestMayBeginWithoutASegment) {
  RecordingSink sink(1);
  AddOpen({}, sink);
  EXPECT_FALSE(lane_->has_work());
  lane_->Report();
  EXPECT_EQ(num_waiting_, 1);
  EXPECT_THAT(left_queue_, IsEmpty());
  lane_->Extend(1, {.segments = {{5, 6}}});
  Run();
  ASSERT_TRUE(sink.Wait().ok());
  EXPECT_EQ(sink.queued().size(), 1);
  EXPECT_THAT(left_queue_, ElementsAre(1));
  EXPECT_THAT(sink.tokens(0), ElementsAre(5, 6));
}

TEST_F(ExtensionTest, OneThatCouldNotRunEndsTheRequestAndNoOther) {
  RecordingSink sink(2), other;
  AddOpen({{5, 6, 7}}, sink);
  lane_->Add(2, MakeRequest({8, 9}, other), now_);
  lane_->Step(absl::ZeroDuration());
  const std::shared_ptr<SamplingParams> beams = MakeSampling(16 * kNumBlocks);
  beams->beam_size = lane_->MaxBeamSize(1, beams->max_new_tokens) + 1;
  lane_->Extend(1, {.segments = {{5}}, .sampling = beams});
  Run();
  EXPECT_TRUE(absl::IsInternal(sink.Wait()));
  EXPECT_THAT(std::string(sink.Wait().message()),
              HasSubstr("bytes of KV cache"));
  EXPECT_TRUE(other.Wait().ok());
}

// ---- Two lanes in one engine ----

// Repeats the source backwards.
int32_t Reverse(const std::vector<int32_t>& source, int32_t num_tokens) {
  const int32_t i = static_cast<int32_t>(source.size()) - num_tokens;
  return i >= 0 ? source[i] : FakeModelRunner::kEos;
}

class TwoLanesTest : public ::testing::Test {
 protected:
  TwoLanesTest() {
    for (FakeModelRunner* runner : {&copying_, &reversing_}) {
      runner->advances_per_pass = 3;
    }
  }
  ~TwoLanesTest() override { Release(); }

  static LaneOptions LaneOf(FakeModelRunner& runner) {
    LaneOptions options;
    options.runner = &runner;
    options.kv_shape = {kNumBlocks, 1000, 16, 16};
    options.max_queue = 1000;
    return options;
  }
  void Start(std::vector<LaneOptions> lanes) {
    engine_ = std::make_unique<Engine>(EngineOptions(), team_, Kernels(),
                                       std::move(lanes));
  }

  // The engine stops before the next decode until Release().
  void Hold() {
    for (FakeModelRunner* runner : {&copying_, &reversing_}) {
      runner->before_decode = [this](int32_t) { HoldHere(); };
    }
  }
  void HoldHere() {
    absl::MutexLock lock(&mutex_);
    is_held_ = true;
    mutex_.Await(absl::Condition(&may_go_on_));
  }
  void WaitUntilHeld() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&is_held_));
  }
  void Release() {
    absl::MutexLock lock(&mutex_);
    may_go_on_ = true;
  }

  ThreadTeam team_{1};
  FakeModelRunner copying_{kNumBlocks};
  FakeModelRunner reversing_{kNumBlocks, Reverse};
  absl::Mutex mutex_;
  bool is_held_ ABSL_GUARDED_BY(mutex_) = false;
  bool may_go_on_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<Engine> engine_;
};

Tokens RandomSource(std::mt19937& rng) {
  Tokens source(1 + rng() % 30);
  for (int32_t& id : source) id = 2 + static_cast<int32_t>(rng() % 98);
  return source;
}

TEST_F(TwoLanesTest, GiveTheTokensOfTwoEngines) {
  constexpr int kRequests = 200;
  std::mt19937 rng(301);
  std::vector<Tokens> sources;
  for (int i = 0; i < kRequests; ++i) sources.push_back(RandomSource(rng));
  const auto run = [&](Engine& engine, LaneId lane, int begin, int step) {
    std::vector<std::unique_ptr<RecordingSink>> sinks;
    for (int i = begin; i < kRequests; i += step) {
      sinks.push_back(std::make_unique<RecordingSink>());
      EXPECT_TRUE(
          engine.Submit(lane, MakeRequest(sources[i], *sinks.back())).ok());
    }
    return sinks;
  };
  const auto tokens = [](const auto& sinks) {
    std::vector<Tokens> out;
    for (const auto& sink : sinks) {
      EXPECT_TRUE(sink->Wait().ok());
      out.push_back(sink->tokens());
    }
    return out;
  };
  std::vector<Tokens> alone[2];
  for (LaneId lane : {0, 1}) {
    Engine engine(EngineOptions(), team_, Kernels(),
                  {LaneOf(lane == 0 ? copying_ : reversing_)});
    alone[lane] = tokens(run(engine, /*lane=*/0, lane, 2));
  }
  EXPECT_EQ(alone[0].front(), sources.front());
  Start({LaneOf(copying_), LaneOf(reversing_)});
  const auto first = run(*engine_, 0, 0, 2);
  const auto second = run(*engine_, 1, 1, 2);
  EXPECT_EQ(tokens(first), alone[0]);
  EXPECT_EQ(tokens(second), alone[1]);
}

TEST_F(TwoLanesTest, TakeTurns) {
  std::string turns;
  copying_.before_decode = [&](int32_t) {
    turns += 'c';
    HoldHere();
  };
  reversing_.before_decode = [&](int32_t) { turns += 'r'; };
  Start({LaneOf(copying_), LaneOf(reversing_)});
  RecordingSink copied, reversed;
  const Tokens source(20, 5);
  ASSERT_TRUE(engine_->Submit(0, MakeRequest(source, copied)).ok());
  WaitUntilHeld();
  ASSERT_TRUE(engine_->Submit(1, MakeRequest(source, reversed)).ok());
  Release();
  EXPECT_TRUE(copied.Wait().ok());
  EXPECT_TRUE(reversed.Wait().ok());
  engine_.reset();
  // Each runs alone for a few steps only, at its beginning or its end.
  EXPECT_EQ(turns.size(), 2 * 21);
  EXPECT_NE(turns.find("crcrcrcrcrcrcrcrcr"), std::string::npos) << turns;
}

TEST_F(TwoLanesTest, AFullQueueOfOneLaneRefusesNothingInTheOther) {
  Hold();
  copying_.runner_limits.max_sequences = 1;
  LaneOptions lane = LaneOf(copying_);
  lane.max_queue = 1;
  Start({lane, LaneOf(reversing_)});
  RecordingSink running, waiting, refused, other;
  ASSERT_TRUE(engine_->Submit(0, MakeRequest({5}, running)).ok());
  WaitUntilHeld();
  ASSERT_TRUE(engine_->Submit(0, MakeRequest({6}, waiting)).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(
      engine_->Submit(0, MakeRequest({7}, refused)).status()));
  EXPECT_TRUE(engine_->Submit(1, MakeRequest({7, 8}, other)).ok());
  Release();
  EXPECT_TRUE(other.Wait().ok());
  EXPECT_THAT(other.tokens(), ElementsAre(8, 7));
  EXPECT_TRUE(waiting.Wait().ok());
  EXPECT_THAT(refused.tokens(), IsEmpty());
}

TEST_F(TwoLanesTest, CancelAndExtendReachTheLaneOfTheRequest) {
  Start({LaneOf(copying_), LaneOf(reversing_)});
  RecordingSink open(2), endless;
  std::mt19937 rng(301);
  const Tokens more = RandomSource(rng);
  Request request = MakeRequest({5, 6}, open);
  request.is_open = true;
  request.max_segment_tokens = 20;
  const auto extended = engine_->Submit(1, std::move(request));
  copying_.advances_per_pass = 1'000'000'000;
  const auto cancelled = engine_->Submit(0, MakeRequest({5}, endless));
  ASSERT_TRUE(extended.ok() && cancelled.ok());
  engine_->Extend(*extended, {.segments = {more}});
  EXPECT_TRUE(open.Wait().ok());
  EXPECT_THAT(open.tokens(0), ElementsAre(6, 5));
  EXPECT_EQ(open.tokens(1), Tokens(more.rbegin(), more.rend()));
  EXPECT_FALSE(endless.HasFinished());
  engine_->Cancel(*cancelled);
  EXPECT_TRUE(absl::IsCancelled(endless.Wait()));
}

TEST_F(TwoLanesTest, TheEngineIsIdleWhenBothLanesAre) {
  Hold();
  Start({LaneOf(copying_), LaneOf(reversing_)});
  RecordingSink sink, late;
  ASSERT_TRUE(engine_->Submit(1, MakeRequest({5}, sink)).ok());
  WaitUntilHeld();
  EXPECT_FALSE(engine_->WaitUntilIdle(absl::ZeroDuration()));
  engine_->Drain();
  for (LaneId lane : {0, 1}) {
    EXPECT_TRUE(absl::IsUnavailable(
        engine_->Submit(lane, MakeRequest({5}, late)).status()));
  }
  Release();
  EXPECT_TRUE(engine_->WaitUntilIdle(absl::InfiniteDuration()));
  EXPECT_TRUE(sink.HasFinished());
}

}  // namespace
}  // namespace sheaf
