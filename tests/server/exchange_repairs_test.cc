// SPDX-License-Identifier: Apache-2.0

// Exchanges whose segments are held and decoded again. The model says letters
// that stand for the tokens of its source, so that no protected span survives
// by itself.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

// The model says one letter per token, which is far too short.
constexpr char kLongWords[] =
    "The committee will probably continue its investigation into "
    "international responsibilities tomorrow";

TEST_F(ExchangeRepairsTest, ASuspiciousSegmentIsDecodedAgainIfTheRequestAsks) {
  v1::TranslateRequest request = TranslateOf(kLongWords);
  request.set_repair(true);
  Run(unary_, ReadOf(request));
  ASSERT_TRUE(unary_->status.ok()) << unary_->status;
  EXPECT_GT(unary_->summary.checks.num_decodes, 0);
  EXPECT_TRUE(IsEngineIdle());
}

TEST_F(ExchangeRepairsTest, ASuspiciousSegmentIsOnlyCheckedByDefault) {
  Run(unary_, ReadOf(TranslateOf(kLongWords)));
  ASSERT_TRUE(unary_->status.ok()) << unary_->status;
  EXPECT_EQ(unary_->summary.checks.num_decodes, 0);
  EXPECT_EQ(unary_->summary.checks.num_flagged, 1);
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
  const auto exchange = Open(unary_);
  ASSERT_TRUE(exchange->Authorize());
  ASSERT_TRUE(exchange->TakeMessage(kShort));
  const v1::TranslateRequest request = TranslateOf("Open {name} now.");
  const auto is_wanted = [] { return true; };
  // The first decode has a token for each of its source, and an end. Then its
  // repair waits at the gate.
  const auto num_tokens = static_cast<int32_t>(
      reader_.Read(request, is_wanted)->request.segments[0].size());
  gate_.Close(/*num_steps=*/num_tokens + 2);
  exchange->Start(ReadOf(request));
  gate_.AwaitEngine();
  exchange->OnClientGone();
  gate_.Open();
  unary_->ended.WaitForNotification();
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kCancelled);
  exchange->OnClosed();
  EXPECT_TRUE(IsEngineIdle());
  EXPECT_EQ(held_bytes_, 0);
}

// A second decode of a suspicious segment has 4 beams where the caller may run
// as many, and counts as these.
TEST_F(ExchangeRepairsTest, TheBeamsOfARepairCountForTheCaller) {
  CallerLimiter limiter(/*tokens=*/nullptr, /*max_per_caller=*/3);
  Services services = services_;
  services.limiter = &limiter;
  v1::TranslateRequest request = TranslateOf(kLongWords);
  request.set_return_segments(true);
  const auto is_wanted = [] { return true; };
  const auto num_tokens = static_cast<int32_t>(
      reader_.Read(request, is_wanted)->request.segments[0].size());
  gate_.Close(/*num_steps=*/num_tokens + 2);
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
