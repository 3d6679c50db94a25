// SPDX-License-Identifier: Apache-2.0

#include "engine/engine.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_model_runner.h"
#include "tests/support/recording_sink.h"

namespace sheaf {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int32_t kNumBlocks = 64;

// Holds the engine thread at its decode steps while closed.
class Gate {
 public:
  void Open() {
    absl::MutexLock lock(&mutex_);
    is_open_ = true;
  }
  void Close() {
    absl::MutexLock lock(&mutex_);
    is_open_ = false;
  }
  // Called by the engine thread. Records the batch size, and waits while
  // closed.
  void Enter(int32_t batch_size) {
    absl::MutexLock lock(&mutex_);
    batch_sizes_.push_back(batch_size);
    mutex_.Await(absl::Condition(&is_open_));
  }
  // Returns once the engine has entered with a batch of `size`.
  void WaitForBatch(int32_t size) {
    absl::MutexLock lock(&mutex_);
    const auto has_come = [this, size] {
      mutex_.AssertReaderHeld();
      return std::find(batch_sizes_.begin(), batch_sizes_.end(), size) !=
             batch_sizes_.end();
    };
    mutex_.Await(absl::Condition(&has_come));
  }
  std::vector<int32_t> batch_sizes() {
    absl::MutexLock lock(&mutex_);
    return batch_sizes_;
  }

 private:
  absl::Mutex mutex_;
  bool is_open_ ABSL_GUARDED_BY(mutex_) = true;
  std::vector<int32_t> batch_sizes_ ABSL_GUARDED_BY(mutex_);
};

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    runner_.before_decode = [this](int32_t size) { gate_.Enter(size); };
    runner_.runner_limits.max_sequences = 8;
    lane_.runner = &runner_;
    lane_.kv_shape = {kNumBlocks, 1000, 16, 16};
    lane_.max_queue = 4;
    lane_.on_step = [this](const StepStats& stats) {
      absl::MutexLock lock(&mutex_);
      gauges_ = stats.gauges;
      num_generated_ += stats.num_generated_tokens;
      reasons_.insert(reasons_.end(), stats.finish_reasons.begin(),
                      stats.finish_reasons.end());
    };
  }
  ~EngineTest() override {
    gate_.Open();
    engine_.reset();
  }

  void Start() {
    engine_ = std::make_unique<Engine>(
        options_, team_, kernels::KernelsFor(kernels::Isa::kPortable),
        std::vector<LaneOptions>{lane_});
  }

  static Request MakeRequest(std::vector<std::vector<int32_t>> segments,
                             RecordingSink& sink, int32_t max_new = 40) {
    Request request;
    request.start_tokens = {FakeModelRunner::kStart};
    for (const auto& segment : segments) request.segments.push_back(segment);
    request.sink = &sink;
    request.sampling.max_new_tokens = max_new;
    return request;
  }

  void ExpectNothingHeld() {
    absl::MutexLock lock(&mutex_);
    EXPECT_EQ(gauges_.kv.self_used + gauges_.kv.cross_used, 0);
    EXPECT_EQ(gauges_.kv.self_reserved + gauges_.kv.cross_reserved, 0);
    EXPECT_EQ(gauges_.num_requests_running + gauges_.num_requests_waiting, 0);
    EXPECT_EQ(gauges_.num_sequences_running, 0);
  }

  ThreadTeam team_{1};
  FakeModelRunner runner_{kNumBlocks};
  Gate gate_;
  EngineOptions options_;
  LaneOptions lane_;
  absl::Mutex mutex_;
  EngineGauges gauges_ ABSL_GUARDED_BY(mutex_);
  int64_t num_generated_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<FinishReason> reasons_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, ARequestRunsToItsEos) {
  Start();
  RecordingSink sink;
  ASSERT_TRUE(engine_->Submit(/*lane=*/0, MakeRequest({{5, 6, 7}}, sink)).ok());
  EXPECT_TRUE(sink.Wait().ok());
  EXPECT_THAT(sink.tokens(), ElementsAre(5, 6, 7));
  ASSERT_EQ(sink.hypotheses().size(), 1);
  EXPECT_EQ(sink.hypotheses()[0].tokens, sink.tokens());
  EXPECT_EQ(sink.hypotheses()[0].finish_reason, FinishReason::kEos);
  ExpectNothingHeld();
  absl::MutexLock lock(&mutex_);
  EXPECT_EQ(num_generated_, 3);
  EXPECT_THAT(reasons_, ElementsAre(FinishReason::kEos));
}

TEST_F(EngineTest, MaxNewTokensEndsWithLength) {
  Start();
  RecordingSink sink;
  ASSERT_TRUE(
      engine_->Submit(/*lane=*/0, MakeRequest({{5, 6, 7}}, sink, 2)).ok());
  EXPECT_TRUE(sink.Wait().ok());
  EXPECT_THAT(sink.tokens(), ElementsAre(5, 6));
  EXPECT_EQ(sink.hypotheses()[0].finish_reason, FinishReason::kLength);
}

TEST_F(EngineTest, ForcedStartTokensComeFirstAndCount) {
  Start();
  RecordingSink sink;
  Request request = MakeRequest({{5, 6, 7, 8}}, sink, 3);
  request.start_tokens = {FakeModelRunner::kStart, 50, 51};
  ASSERT_TRUE(engine_->Submit(/*lane=*/0, std::move(request)).ok());
  EXPECT_TRUE(sink.Wait().ok());
  EXPECT_THAT(sink.tokens(), ElementsAre(50, 51, 7));
}

TEST_F(EngineTest, SegmentsOfARequestShareTheBatch) {
  Start();
  RecordingSink sink(3);
  ASSERT_TRUE(
      engine_->Submit(/*lane=*/0, MakeRequest({{5}, {6, 7}, {8, 9, 10}}, sink))
          .ok());
  EXPECT_TRUE(sink.Wait().ok());
  EXPECT_THAT(sink.tokens(0), ElementsAre(5));
  EXPECT_THAT(sink.tokens(1), ElementsAre(6, 7));
  EXPECT_THAT(sink.tokens(2), ElementsAre(8, 9, 10));
  EXPECT_THAT(gate_.batch_sizes(), ElementsAre(3, 3, 2, 1));
}

TEST_F(EngineTest, RequestsJoinAndLeaveARunningBatch) {
  Start();
  gate_.Close();
  RecordingSink first, second;
  ASSERT_TRUE(engine_
                  ->Submit(/*lane=*/0,
                           MakeRequest({std::vector<int32_t>(12, 5)}, first))
                  .ok());
  gate_.WaitForBatch(1);
  ASSERT_TRUE(engine_->Submit(/*lane=*/0, MakeRequest({{6, 7}}, second)).ok());
  gate_.Open();
  EXPECT_TRUE(second.Wait().ok());
  EXPECT_TRUE(first.Wait().ok());
  EXPECT_THAT(second.tokens(), ElementsAre(6, 7));
  // The second joined while the first ran, and left before it.
  const std::vector<int32_t> sizes = gate_.batch_sizes();
  EXPECT_EQ(sizes.front(), 1);
  EXPECT_EQ(std::count(sizes.begin(), sizes.end(), 2), 3);
  EXPECT_EQ(sizes.back(), 1);
  EXPECT_EQ(sizes.size(), 13);
}

TEST_F(EngineTest, ARequestIsToldOnceHowLongItWasQueued) {
  std::atomic<int64_t> seconds = 0;
  options_.now = [&] {
    return MonotonicTime() + absl::Seconds(seconds.load());
  };
  runner_.runner_limits.max_sequences = 1;
  Start();
  gate_.Close();
  RecordingSink first, second(2), never;
  ASSERT_TRUE(engine_->Submit(/*lane=*/0, MakeRequest({{5, 6}}, first)).ok());
  gate_.WaitForBatch(1);
  ASSERT_TRUE(
      engine_->Submit(/*lane=*/0, MakeRequest({{7}, {8}}, second)).ok());
  const auto last = engine_->Submit(/*lane=*/0, MakeRequest({{9}}, never));
  ASSERT_TRUE(last.ok());
  engine_->Cancel(*last);
  seconds = 7;
  gate_.Open();
  EXPECT_TRUE(first.Wait().ok());
  EXPECT_TRUE(second.Wait().ok());
  EXPECT_TRUE(absl::IsCancelled(never.Wait()));
  EXPECT_THAT(first.queued(), ElementsAre(absl::ZeroDuration()));
  EXPECT_THAT(second.queued(), ElementsAre(absl::Seconds(7)));
  EXPECT_THAT(never.queued(), IsEmpty());
}

TEST_F(EngineTest, CancelFreesAllWithinAStep) {
  Start();
  gate_.Close();
  RecordingSink sink, next;
  const auto id = engine_->Submit(
      /*lane=*/0, MakeRequest({std::vector<int32_t>(30, 5)}, sink));
  ASSERT_TRUE(id.ok());
  gate_.WaitForBatch(1);
  engine_->Cancel(*id);
  gate_.Open();
  EXPECT_EQ(sink.Wait().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(gate_.batch_sizes(), ElementsAre(1));
  ExpectNothingHeld();
  ASSERT_TRUE(engine_->Submit(/*lane=*/0, MakeRequest({{6}}, next)).ok());
  EXPECT_TRUE(next.Wait().ok());
}

TEST_F(EngineTest, APassWhoseRequestsHaveAllEndedIsOver) {
  runner_.advances_per_pass = 1'000'000'000;
  Start();
  const std::vector<int32_t> long_source(300, 9);
  RecordingSink first, second;
  const auto id =
      engine_->Submit(/*lane=*/0, MakeRequest({long_source}, first));
  ASSERT_TRUE(id.ok());
  first.WaitForStart();
  engine_->Cancel(*id);
  EXPECT_TRUE(absl::IsCancelled(first.Wait()));
  // It is as long as the first and may not overtake, so it is admitted only if
  // the first pass has ended.
  const auto next =
      engine_->Submit(/*lane=*/0, MakeRequest({long_source}, second));
  ASSERT_TRUE(next.ok());
  second.WaitForStart();
  engine_->Cancel(*next);
  EXPECT_TRUE(absl::IsCancelled(second.Wait()));
  ExpectNothingHeld();
}

TEST_F(EngineTest, AShortRequestOvertakesALongPass) {
  runner_.advances_per_pass = 1'000'000'000;
  Start();
  const std::vector<int32_t> long_source(300, 9);
  RecordingSink first, second, third;
  const auto id =
      engine_->Submit(/*lane=*/0, MakeRequest({long_source}, first));
  ASSERT_TRUE(id.ok());
  first.WaitForStart();
  const auto waiting =
      engine_->Submit(/*lane=*/0, MakeRequest({long_source}, second));
  ASSERT_TRUE(waiting.ok());
  ASSERT_TRUE(engine_->Submit(/*lane=*/0, MakeRequest({{5, 6}}, third)).ok());
  EXPECT_TRUE(third.Wait().ok());
  EXPECT_THAT(third.tokens(), ElementsAre(5, 6));
  engine_->Cancel(*waiting);
  engine_->Cancel(*id);
  EXPECT_TRUE(absl::IsCancelled(first.Wait()));
  EXPECT_TRUE(absl::IsCancelled(second.Wait()));
  EXPECT_TRUE(second.queued().empty());
  ExpectNothingHeld();
}

TEST_F(EngineTest, ALongPassGoesOnWhileAnotherOvertakes) {
  runner_.advances_per_pass = 1'000;
  runner_.advances_per_overtaking_pass = 1'000'000'000;
  Start();
  RecordingSink first, second;
  ASSERT_TRUE(
      engine_
          ->Submit(/*lane=*/0,
                   MakeRequest({std::vector<int32_t>(300, 9)}, first, 3))
          .ok());
  first.WaitForStart();
  const auto id = engine_->Submit(/*lane=*/0, MakeRequest({{5, 6}}, second));
  ASSERT_TRUE(id.ok());
  EXPECT_TRUE(first.Wait().ok());
  engine_->Cancel(*id);
  EXPECT_TRUE(absl::IsCancelled(second.Wait()));
  ExpectNothingHeld();
}

TEST_F(EngineTest, ADeadlineEndsARunningRequestAndFreesAll) {
  std::atomic<int64_t> now_seconds = 100;
  options_.now = [&] {
    return MonotonicTime() + absl::Seconds(now_seconds.load());
  };
  Start();
  gate_.Close();
  RecordingSink sink;
  Request request = MakeRequest({std::vector<int32_t>(30, 5)}, sink);
  request.deadline = MonotonicTime() + absl::Seconds(110);
  ASSERT_TRUE(engine_->Submit(/*lane=*/0, std::move(request)).ok());
  gate_.WaitForBatch(1);
  now_seconds = 110;
  gate_.Open();
  EXPECT_EQ(sink.Wait().code(), absl::StatusCode::kDeadlineExceeded);
  ExpectNothingHeld();
}

TEST_F(EngineTest, AFullQueueRefusesAtOnceAndTheNextGoodRequestSucceeds) {
  runner_.runner_limits.max_sequences = 1;
  lane_.max_queue = 2;
  Start();
  gate_.Close();
  RecordingSink running, waiting[2], refused, next;
  ASSERT_TRUE(engine_->Submit(/*lane=*/0, MakeRequest({{5, 5}}, running)).ok());
  gate_.WaitForBatch(1);
  for (RecordingSink& sink : waiting) {
    ASSERT_TRUE(engine_->Submit(/*lane=*/0, MakeRequest({{6}}, sink)).ok());
  }
  const absl::Status status =
      engine_->Submit(/*lane=*/0, MakeRequest({{7}}, refused)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("queues at most 2"));
  gate_.Open();
  for (RecordingSink& sink : waiting) EXPECT_TRUE(sink.Wait().ok());
  EXPECT_FALSE(refused.HasFinished());
  ASSERT_TRUE(engine_->Submit(/*lane=*/0, MakeRequest({{8}}, next)).ok());
  EXPECT_TRUE(next.Wait().ok());
  ExpectNothingHeld();
}

TEST_F(EngineTest, ACallerThatFillsTheQueueGivesAPlaceToAnother) {
  runner_.runner_limits.max_sequences = 1;
  lane_.max_queue = 3;
  Start();
  gate_.Close();
  RecordingSink running, waiting[3], refused, other;
  const auto submit = [&](const std::string& caller, RecordingSink& sink) {
    Request request = MakeRequest({{6}}, sink);
    request.caller = caller;
    return engine_->Submit(/*lane=*/0, std::move(request)).status();
  };
  ASSERT_TRUE(submit("greedy", running).ok());
  gate_.WaitForBatch(1);
  for (RecordingSink& sink : waiting) ASSERT_TRUE(submit("greedy", sink).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(submit("greedy", refused)));
  EXPECT_TRUE(submit("other", other).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(submit("greedy", refused)));
  gate_.Open();
  EXPECT_TRUE(absl::IsResourceExhausted(waiting[2].Wait()));
  EXPECT_THAT(std::string(waiting[2].Wait().message()),
              HasSubstr("queues at most 3"));
  EXPECT_TRUE(waiting[0].Wait().ok());
  EXPECT_TRUE(waiting[1].Wait().ok());
  EXPECT_TRUE(other.Wait().ok());
  EXPECT_TRUE(running.Wait().ok());
  EXPECT_TRUE(engine_->WaitUntilIdle(absl::InfiniteDuration()));
  EXPECT_FALSE(refused.HasFinished());
  ExpectNothingHeld();
}

TEST_F(EngineTest, RefusesWhatCanNeverFit) {
  Start();
  RecordingSink sink;
  const absl::Status status =
      engine_
          ->Submit(/*lane=*/0,
                   MakeRequest({{5}}, sink, /*max_new=*/16 * kNumBlocks))
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(EngineTest, DrainingRefusesNewRequestsAndEndsTheOld) {
  Start();
  gate_.Close();
  RecordingSink sink, late;
  ASSERT_TRUE(engine_->Submit(/*lane=*/0, MakeRequest({{5, 6}}, sink)).ok());
  gate_.WaitForBatch(1);
  engine_->Drain();
  EXPECT_EQ(
      engine_->Submit(/*lane=*/0, MakeRequest({{5}}, late)).status().code(),
      absl::StatusCode::kUnavailable);
  EXPECT_FALSE(engine_->WaitUntilIdle(absl::ZeroDuration()));
  gate_.Open();
  EXPECT_TRUE(engine_->WaitUntilIdle(absl::InfiniteDuration()));
  EXPECT_TRUE(sink.HasFinished());
  EXPECT_THAT(sink.tokens(), ElementsAre(5, 6));
}

TEST_F(EngineTest, DestroyingItCancelsWhatRuns) {
  Start();
  gate_.Close();
  RecordingSink running, queued;
  ASSERT_TRUE(engine_
                  ->Submit(/*lane=*/0,
                           MakeRequest({std::vector<int32_t>(30, 5)}, running))
                  .ok());
  gate_.WaitForBatch(1);
  ASSERT_TRUE(engine_->Submit(/*lane=*/0, MakeRequest({{6}}, queued)).ok());
  std::thread opener([this] { gate_.Open(); });
  engine_.reset();
  opener.join();
  EXPECT_TRUE(running.HasFinished());
  EXPECT_TRUE(queued.HasFinished());
}

// The answer to a request does not depend on other requests.
TEST_F(EngineTest, AnyMixOfRequestsGivesEachItsOwnAndLeaksNothing) {
  runner_.advances_per_pass = 2;
  lane_.max_queue = 1000;
  Start();
  std::mt19937 rng(301);
  struct Sent {
    std::vector<std::vector<int32_t>> segments;
    std::unique_ptr<RecordingSink> sink;
    bool is_cancelled;
  };
  std::vector<Sent> sent;
  for (int i = 0; i < 300; ++i) {
    std::vector<std::vector<int32_t>> segments(1 + rng() % 4);
    for (auto& segment : segments) {
      segment.resize(1 + rng() % 30);
      for (int32_t& id : segment) id = 2 + rng() % 98;
    }
    auto sink = std::make_unique<RecordingSink>(segments.size());
    const auto id = engine_->Submit(/*lane=*/0, MakeRequest(segments, *sink));
    ASSERT_TRUE(id.ok());
    const bool is_cancelled = rng() % 4 == 0;
    if (is_cancelled) engine_->Cancel(*id);
    sent.push_back({std::move(segments), std::move(sink), is_cancelled});
  }
  for (const Sent& each : sent) {
    const absl::Status status = each.sink->Wait();
    if (!status.ok()) {
      EXPECT_TRUE(each.is_cancelled) << status;
      continue;
    }
    for (size_t i = 0; i < each.segments.size(); ++i) {
      EXPECT_EQ(each.sink->tokens(i), each.segments[i]);
    }
  }
  EXPECT_TRUE(engine_->WaitUntilIdle(absl::InfiniteDuration()));
  ExpectNothingHeld();
}

}  // namespace
}  // namespace sheaf
