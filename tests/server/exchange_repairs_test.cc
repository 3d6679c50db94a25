// SPDX-License-Identifier: Apache-2.0

// Exchanges whose segments are held and decoded again. The model says letters
// that stand for the tokens of its source, so that no protected span survives
// by itself.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "tests/server/exchange_fixture.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ExchangeRepairsTest : public ExchangeTest {
 protected:
  static v1::TranslateRequest TranslateOf(const std::string& text) {
    v1::TranslateRequest request;
    request.set_text(text);
    request.set_source_language("en");
    request.set_target_language("de");
    request.mutable_decoding()->set_beam_size(1);
    return request;
  }

  double Metric(const std::string& series) {
    return MetricValue(metrics_.Scrape(), series);
  }

  void RunWith(const Services& services, const v1::TranslateRequest& request) {
    const auto exchange =
        std::make_shared<Exchange>(services, TestCaller(), unary_);
    ASSERT_TRUE(exchange->Authorize());
    ASSERT_TRUE(exchange->TakeMessage(kShort));
    exchange->Start(ReadOf(request));
    unary_->ended.WaitForNotification();
    exchange->OnClosed();
  }

  // Closes the gate for the first repair of the request, which has one segment.
  // Its first decode has a token for each of its source, and an end.
  void HoldRepairOf(const v1::TranslateRequest& request) {
    const auto is_wanted = [] { return true; };
    const auto num_tokens = static_cast<int32_t>(
        reader_.Read(request, is_wanted)->request.segments[0].size());
    gate_.Close(/*num_steps=*/num_tokens + 2);
  }

  // The engine's steps until the answer is sent. REQUIRES: another request
  // runs, and its next step waits at the gate.
  int32_t NumStepsOf(const v1::TranslateRequest& request) {
    const auto responder =
        std::make_shared<FakeResponder>(/*takes_parts=*/false);
    const auto exchange = Open(responder);
    EXPECT_TRUE(exchange->Authorize() && exchange->TakeMessage(kShort));
    exchange->Start(ReadOf(request));
    int32_t num_steps = 0;
    while (!responder->ended.HasBeenNotified()) {
      gate_.Close(/*num_steps=*/1);
      gate_.AwaitEngine();
      AwaitDelivery();
      ++num_steps;
    }
    EXPECT_TRUE(responder->status.ok()) << responder->status;
    EXPECT_EQ(responder->summary.checks.num_decodes, 0);
    exchange->OnClosed();
    return num_steps;
  }

  // Whether nothing of a request is left in the engine.
  bool IsEngineIdle() {
    return engine_.WaitUntilIdle(absl::InfiniteDuration());
  }
};

TEST_F(ExchangeRepairsTest, ASpanThatTheModelLosesIsKept) {
  Run(unary_, ReadOf(TranslateOf("Open {name} now.")));
  ASSERT_TRUE(unary_->status.ok()) << unary_->status;
  EXPECT_THAT(unary_->last_part, HasSubstr("{name}"));
  EXPECT_EQ(unary_->summary.num_segments, 1);
  EXPECT_GT(unary_->summary.checks.num_decodes, 0);
  EXPECT_TRUE(IsEngineIdle());
  EXPECT_GT(Metric("sheaf_segments_decoded_again_total{model=\"fake\"}"), 0);
  ASSERT_TRUE(log_.Flush(absl::InfiniteDuration()));
  ASSERT_EQ(lines_.size(), 1);
  EXPECT_THAT(lines_[0], HasSubstr("decodes_again="));
}

TEST_F(ExchangeRepairsTest, TextBeforeAHeldSegmentIsStreamed) {
  const auto exchange = Open(stream_);
  ASSERT_TRUE(exchange->Authorize());
  ASSERT_TRUE(exchange->TakeMessage(kShort));
  exchange->Start(ReadOf(TranslateOf("Good morning. Open {name} now.")));
  stream_->AwaitPart();
  while (!stream_->ended.HasBeenNotified()) {
    stream_->MakeReady();
    exchange->OnWritable();
    AwaitDelivery();
  }
  ASSERT_TRUE(stream_->status.ok()) << stream_->status;
  std::string text;
  for (const std::string& part : stream_->parts()) {
    // A held segment comes as a whole.
    EXPECT_EQ(absl::StrContains(part, "{"), absl::StrContains(part, "}"));
    text += part;
  }
  text += stream_->last_part;
  exchange->OnClosed();
  Run(unary_, ReadOf(TranslateOf("Good morning. Open {name} now.")));
  EXPECT_EQ(text, unary_->last_part);
}

// The model says one letter per token, which is far too short. Nothing in it
// must survive.
constexpr char kLongWords[] =
    "The committee will probably continue its investigation into "
    "international responsibilities tomorrow";

TEST_F(ExchangeRepairsTest, ASuspiciousSegmentIsDecodedAgainIfNothingIsSent) {
  // The task's default is a beam search.
  CallerLimiter limiter(/*tokens=*/nullptr, /*max_per_caller=*/0);
  Services services = services_;
  services.limiter = &limiter;
  v1::TranslateRequest request = TranslateOf(kLongWords);
  request.clear_decoding();
  RunWith(services, request);
  ASSERT_TRUE(unary_->status.ok()) << unary_->status;
  EXPECT_GT(unary_->summary.checks.num_decodes, 0);
  EXPECT_TRUE(IsEngineIdle());
}

TEST_F(ExchangeRepairsTest, ARequestWithDecodingOptionsGetsTheirResult) {
  Run(unary_, ReadOf(TranslateOf(kLongWords)));
  ASSERT_TRUE(unary_->status.ok()) << unary_->status;
  EXPECT_EQ(unary_->summary.checks.num_decodes, 0);
  EXPECT_EQ(unary_->summary.checks.num_flagged, 1);
}

TEST_F(ExchangeRepairsTest, ARequestWithDecodingOptionsMayAskForRepairs) {
  v1::TranslateRequest request = TranslateOf(kLongWords);
  request.set_repair(true);
  Run(unary_, ReadOf(request));
  ASSERT_TRUE(unary_->status.ok()) << unary_->status;
  EXPECT_GT(unary_->summary.checks.num_decodes, 0);
}

// The engine would close an open request in its next step.
TEST_F(ExchangeRepairsTest, AFinishedAnswerDoesNotWaitForTheEngine) {
  gate_.Close();
  const auto endless = std::make_shared<FakeResponder>(/*takes_parts=*/false);
  const auto other = Open(endless);
  ASSERT_TRUE(other->Authorize());
  ASSERT_TRUE(other->TakeMessage(kShort));
  other->Start(Endless());
  gate_.AwaitEngine();
  v1::TranslateRequest request = TranslateOf("I am here.");
  request.set_repair(false);
  const int32_t num_steps = NumStepsOf(request);
  request.set_repair(true);
  EXPECT_EQ(NumStepsOf(request), num_steps);
  other->OnClientGone();
  gate_.Open();
  endless->ended.WaitForNotification();
  other->OnClosed();
  EXPECT_TRUE(IsEngineIdle());
}

TEST_F(ExchangeRepairsTest, RepairsAreNoRequestsOfTheFigures) {
  size_t num_queued = 0, num_first_tokens = 0, num_ended = 0;
  LaneOptions lane = {.runner = &model_.runner,
                      .kv_shape = FakeModel::KvShape()};
  lane.on_step = [&](const StepStats& stats) {
    num_queued += stats.queue_seconds.size();
    num_first_tokens += stats.time_to_first_token_seconds.size();
    num_ended += stats.e2e_seconds.size();
  };
  Engine engine(EngineOptions(), team_,
                kernels::KernelsFor(kernels::Isa::kPortable), {lane});
  Services services = services_;
  services.engine = &engine;
  v1::TranslateRequest request = TranslateOf(kLongWords);
  request.set_repair(true);
  RunWith(services, request);
  EXPECT_GT(unary_->summary.checks.num_decodes, 0);
  ASSERT_TRUE(engine.WaitUntilIdle(absl::InfiniteDuration()));
  EXPECT_EQ(num_queued, 1);
  EXPECT_EQ(num_first_tokens, 1);
  EXPECT_EQ(num_ended, 1);
}

TEST_F(ExchangeRepairsTest, WithoutAPlaceInTheEngineThereAreNoRepairs) {
  v1::TranslateRequest request = TranslateOf(kLongWords);
  request.set_repair(true);
  gate_.Close();
  const auto exchange = Open(unary_);
  ASSERT_TRUE(exchange->Authorize());
  ASSERT_TRUE(exchange->TakeMessage(kShort));
  exchange->Start(ReadOf(request));
  gate_.AwaitEngine();
  engine_.Drain();
  gate_.Open();
  unary_->ended.WaitForNotification();
  exchange->OnClosed();
  ASSERT_TRUE(unary_->status.ok()) << unary_->status;
  EXPECT_EQ(unary_->summary.checks.num_decodes, 0);
  EXPECT_EQ(unary_->summary.checks.num_flagged, 1);
  EXPECT_FALSE(unary_->last_part.empty());
  EXPECT_TRUE(unfinished_requests_.WaitUntilZero(absl::ZeroDuration()));
}

TEST_F(ExchangeRepairsTest, ASuspiciousSegmentOfAStreamIsReported) {
  const auto exchange = Open(stream_);
  ASSERT_TRUE(exchange->Authorize());
  ASSERT_TRUE(exchange->TakeMessage(kShort));
  exchange->Start(ReadOf(TranslateOf(kLongWords)));
  while (!stream_->ended.HasBeenNotified()) {
    stream_->MakeReady();
    exchange->OnWritable();
    AwaitDelivery();
  }
  exchange->OnClosed();
  ASSERT_TRUE(stream_->status.ok()) << stream_->status;
  EXPECT_EQ(stream_->summary.checks.num_decodes, 0);
  EXPECT_EQ(Metric("sheaf_segment_checks_total{check=\"coverage\","
                   "model=\"fake\",result=\"flagged\"}"),
            1);
  ASSERT_TRUE(log_.Flush(absl::InfiniteDuration()));
  ASSERT_EQ(lines_.size(), 1);
  EXPECT_THAT(lines_[0], HasSubstr("flagged=1"));
}

TEST_F(ExchangeRepairsTest, AClientThatLeavesDuringARepairFreesTheEngine) {
  // The repairs of the second are a request of their own.
  for (const char* text : {"Open {name} now.", kLongWords}) {
    const auto responder =
        std::make_shared<FakeResponder>(/*takes_parts=*/false);
    const auto exchange = Open(responder);
    ASSERT_TRUE(exchange->Authorize());
    ASSERT_TRUE(exchange->TakeMessage(kShort));
    v1::TranslateRequest request = TranslateOf(text);
    request.set_repair(true);
    HoldRepairOf(request);
    exchange->Start(ReadOf(request));
    gate_.AwaitEngine();
    exchange->OnClientGone();
    gate_.Open();
    responder->ended.WaitForNotification();
    EXPECT_EQ(responder->status.code(), absl::StatusCode::kCancelled);
    exchange->OnClosed();
    EXPECT_TRUE(IsEngineIdle());
    EXPECT_EQ(held_bytes_, 0);
  }
}

// A second decode of a suspicious segment has 4 beams where the caller may run
// as many, and counts as these.
TEST_F(ExchangeRepairsTest, TheBeamsOfARepairCountForTheCaller) {
  CallerLimiter limiter(/*tokens=*/nullptr, /*max_per_caller=*/3);
  Services services = services_;
  services.limiter = &limiter;
  v1::TranslateRequest request = TranslateOf(kLongWords);
  request.set_return_segments(true);
  HoldRepairOf(request);
  const auto exchange =
      std::make_shared<Exchange>(services, TestCaller(), unary_);
  ASSERT_TRUE(exchange->Authorize());
  ASSERT_TRUE(exchange->TakeMessage(kShort));
  exchange->Start(ReadOf(request));
  gate_.AwaitEngine();  // in the first step of the repair
  EXPECT_THAT(limiter.Acquire(TestCaller()).status().message(),
              HasSubstr("run 3 sequences"));
  gate_.Open();
  unary_->ended.WaitForNotification();
  EXPECT_TRUE(unary_->status.ok()) << unary_->status;
  exchange->OnClosed();
  EXPECT_TRUE(limiter.Acquire(TestCaller()).ok());
}

TEST_F(ExchangeRepairsTest, WithoutRepairOneDecodeIsEnough) {
  v1::TranslateRequest request = TranslateOf("Open {name} now.");
  request.set_repair(false);
  request.set_return_segments(true);
  Run(unary_, ReadOf(request));
  ASSERT_TRUE(unary_->status.ok()) << unary_->status;
  EXPECT_EQ(unary_->summary.checks.num_decodes, 0);
  ASSERT_EQ(unary_->summary.reports.size(), 1);
  const SegmentReport& report = unary_->summary.reports[0];
  EXPECT_EQ(report.source, (CodePointRange{0, 16}));
  EXPECT_EQ(report.target.end, static_cast<int64_t>(unary_->last_part.size()));
  EXPECT_THAT(report.warnings,
              ::testing::Contains(SegmentWarning::kProtectedSpan));
}

TEST_F(ExchangeRepairsTest, UsageCountsAllDecodes) {
  v1::TranslateRequest request = TranslateOf("Open {name} now.");
  request.set_repair(false);
  Run(unary_, ReadOf(request));
  const auto repaired = std::make_shared<FakeResponder>(/*takes_parts=*/false);
  request.set_repair(true);
  Run(repaired, ReadOf(request));
  EXPECT_GT(repaired->summary.num_input_tokens,
            unary_->summary.num_input_tokens);
  EXPECT_GT(repaired->summary.num_output_tokens,
            unary_->summary.num_output_tokens);
}

}  // namespace
}  // namespace sheaf
