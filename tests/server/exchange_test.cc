// SPDX-License-Identifier: Apache-2.0

// Drives exchanges without a transport: a fake responder, and an engine with a
// fake model.

#include "server/exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "tests/server/exchange_fixture.h"
#include "tests/support/recording_sink.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;

TEST_F(ExchangeTest, AUnaryResponderGetsTheWholeAnswerAtTheEnd) {
  Run(unary_, Generate(ByteTokens("HELLO")));
  ASSERT_TRUE(unary_->status.ok()) << unary_->status;
  EXPECT_EQ(unary_->last_part, "HELLO");
  EXPECT_EQ(unary_->summary.model, "fake");
  EXPECT_EQ(unary_->summary.finish_reason, FinishReason::kEos);
  EXPECT_EQ(unary_->summary.num_input_tokens, 5);
  EXPECT_EQ(unary_->summary.num_output_tokens, 5);
  EXPECT_EQ(unary_->summary.num_segments, 1);
}

TEST_F(ExchangeTest, WhatIsReadyWhileAPartIsOnItsWayIsJoinedIntoTheNext) {
  const auto exchange = Open(stream_);
  ASSERT_TRUE(exchange->Authorize());
  ASSERT_TRUE(exchange->TakeMessage(kShort));
  gate_.Close(/*num_steps=*/1);
  exchange->Start(Generate(ByteTokens("ABCDEF")));
  stream_->AwaitPart();
  gate_.Open();
  ASSERT_TRUE(engine_.WaitUntilIdle(absl::InfiniteDuration()));
  AwaitDelivery();
  // Neither a part nor the end overtakes the part that is on its way.
  EXPECT_EQ(stream_->parts(), std::vector<std::string>({"A"}));
  EXPECT_FALSE(stream_->ended.HasBeenNotified());
  stream_->MakeReady();
  exchange->OnWritable();
  stream_->ended.WaitForNotification();
  EXPECT_EQ(stream_->parts(), std::vector<std::string>({"A"}));
  EXPECT_EQ(stream_->last_part, "BCDEF");
  exchange->OnClosed();
}

TEST_F(ExchangeTest, ATextOfWhiteSpaceIsAnsweredWithoutTheEngine) {
  gate_.Close();
  v1::TranslateRequest request;
  request.set_text(" \n ");
  request.set_source_language("en");
  request.set_target_language("de");
  Run(unary_, ReadOf(request));
  EXPECT_TRUE(unary_->status.ok()) << unary_->status;
  EXPECT_EQ(unary_->last_part, " \n ");
  EXPECT_EQ(unary_->summary.num_segments, 0);
}

TEST_F(ExchangeTest, ALongSummaryRunsInRoundsAndAnswersWithTheLast) {
  v1::SummarizeRequest request;
  for (int i = 0; i < 200; ++i) {
    absl::StrAppend(request.mutable_text(), "This is sentence ", i, ". ");
  }
  request.mutable_decoding()->set_max_new_tokens(10);
  request.mutable_decoding()->set_no_repeat_ngram_size(0);
  Run(unary_, ReadOf(request), request.text().size());
  ASSERT_TRUE(unary_->status.ok()) << unary_->status;
  // Each part, and the last round's only part, has 10 tokens of one letter.
  EXPECT_EQ(unary_->last_part.size(), 10u);
  EXPECT_GT(unary_->summary.num_segments, 10);
  EXPECT_EQ(unary_->summary.num_output_tokens,
            10 * unary_->summary.num_segments);
}

TEST_F(ExchangeTest, LongMessagesAreReadOnAnotherThreadAndShortOnesHere) {
  std::thread::id reading_thread;
  const auto read = [&](RequestReader::IsWanted is_wanted) {
    reading_thread = std::this_thread::get_id();
    return Generate(ByteTokens("OK"))(is_wanted);
  };
  Run(unary_, read, kShort);
  EXPECT_EQ(reading_thread, std::this_thread::get_id());
  Run(std::make_shared<FakeResponder>(/*takes_parts=*/false), read, kLong);
  EXPECT_NE(reading_thread, std::this_thread::get_id());
}

TEST_F(ExchangeTest, ACallerOverItsLimitIsRefusedBeforeItsMessageIsRead) {
  const auto lease_1 = limiter_.Acquire(TestCaller());
  const auto lease_2 = limiter_.Acquire(TestCaller());
  const auto exchange = Open(unary_);
  EXPECT_FALSE(exchange->Authorize());
  ASSERT_TRUE(unary_->ended.HasBeenNotified());
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Rejected("caller_limit"), 1);
  exchange->OnClosed();
}

TEST_F(ExchangeTest, ACallersPlaceIsFreeBeforeTheClientKnowsTheEnd) {
  const auto other = limiter_.Acquire(TestCaller());
  bool is_free = false;
  unary_->on_end = [&] { is_free = limiter_.Acquire(TestCaller()).ok(); };
  Run(unary_, Generate(ByteTokens("OK")));
  EXPECT_TRUE(is_free);
}

TEST_F(ExchangeTest, ARequestCountsAsItsBeamsOnceItIsRead) {
  const auto other = limiter_.Acquire(TestCaller());  // one of two sequences
  v1::GenerateRequest request;
  request.mutable_tokens()->add_ids(kEndlessToken);
  request.mutable_decoding()->set_beam_size(2);
  Run(unary_, ReadOf(request));
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(unary_->status.message()),
              HasSubstr("--max_requests_per_caller"));
  EXPECT_EQ(Rejected("caller_limit"), 1);
  request.mutable_decoding()->set_beam_size(3);
  const auto unary = std::make_shared<FakeResponder>(/*takes_parts=*/false);
  Run(unary, ReadOf(request));
  EXPECT_EQ(unary->status.code(), absl::StatusCode::kInvalidArgument);
}

// The other requests of the caller go to the engine without an exchange.
TEST_F(ExchangeTest, ARequestThatLosesItsPlaceInTheQueueIsRefused) {
  const int32_t max_queue = LaneOptions().max_queue;
  std::vector<std::unique_ptr<RecordingSink>> sinks;
  const auto submit = [&](const std::string& caller) {
    Request request;
    request.segments.push_back(ByteTokens("OK"));
    request.start_tokens = {FakeModelRunner::kStart};
    request.sink = sinks.emplace_back(std::make_unique<RecordingSink>()).get();
    request.caller = caller;
    ASSERT_TRUE(engine_.Submit(/*lane=*/0, std::move(request)).ok());
  };
  gate_.Close();
  submit(TestCaller().address);
  gate_.AwaitEngine();
  for (int32_t i = 1; i < max_queue; ++i) submit(TestCaller().address);
  const auto exchange = Open(unary_);
  ASSERT_TRUE(exchange->Authorize());
  ASSERT_TRUE(exchange->TakeMessage(kShort));
  exchange->Start(Generate(ByteTokens("OK")));
  submit("another");
  gate_.Open();
  unary_->ended.WaitForNotification();
  exchange->OnClosed();
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(unary_->status.message()),
              HasSubstr("another caller needs a place"));
  EXPECT_EQ(Rejected("queue_full"), 1);
  for (const auto& sink : sinks) EXPECT_TRUE(sink->Wait().ok());
}

TEST_F(ExchangeTest, BytesAreHeldFromAuthorizationUntilItIsClosed) {
  const auto exchange = Open(unary_);
  ASSERT_TRUE(exchange->Authorize());
  ASSERT_TRUE(exchange->TakeMessage(kLong));
  EXPECT_GE(held_bytes_, kLong);
  const int64_t authorized_bytes = held_bytes_;
  exchange->Start(Generate(ByteTokens("OK")));
  unary_->ended.WaitForNotification();
  EXPECT_GT(held_bytes_, authorized_bytes);  // with those of the answer
  exchange->OnClosed();
  EXPECT_EQ(held_bytes_, 0);
}

TEST_F(ExchangeTest, AMessageThatCouldNeverFitIsInvalidAndOneThatCouldIsNot) {
  const auto too_large = Open(unary_);
  ASSERT_TRUE(too_large->Authorize());
  EXPECT_FALSE(too_large->TakeMessage(2 * kMaxBytes));
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Rejected("invalid_argument"), 1);
  const auto others = intake_.Take("other", kMaxBytes);
  const auto exchange = Open(stream_);
  ASSERT_TRUE(exchange->Authorize());
  EXPECT_FALSE(exchange->TakeMessage(kShort));
  EXPECT_EQ(stream_->status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Rejected("queued_bytes"), 1);
  too_large->OnClosed();
  exchange->OnClosed();
}

// Occupies the reading thread that would read the caller's long texts.
class ExchangeWaitsTest : public ExchangeTest {
 protected:
  ExchangeWaitsTest() {
    reading_.Run({"ipv4:192.0.2.1", kLong, [this] {
                    has_begun_.Notify();
                    may_end_.WaitForNotification();
                  }});
    has_begun_.WaitForNotification();
  }
  ~ExchangeWaitsTest() override {
    if (!may_end_.HasBeenNotified()) may_end_.Notify();
  }

  Exchange::Read MustNotRead() {
    return [](RequestReader::IsWanted) -> absl::StatusOr<PreparedRequest> {
      ADD_FAILURE() << "read in vain";
      return absl::InternalError("");
    };
  }

  absl::Notification has_begun_, may_end_;
};

TEST_F(ExchangeWaitsTest, ATextThatWaitsIsWithdrawnWhenItsClientLeaves) {
  const auto exchange = Open(unary_);
  ASSERT_TRUE(exchange->Authorize());
  ASSERT_TRUE(exchange->TakeMessage(kLong));
  exchange->Start(MustNotRead());
  EXPECT_FALSE(unary_->ended.HasBeenNotified());
  exchange->OnClientGone();
  ASSERT_TRUE(unary_->ended.HasBeenNotified());
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kCancelled);
  exchange->OnClosed();
}

TEST_F(ExchangeWaitsTest, AClientThatLeftBeforeItsTextWaitedIsNotForgotten) {
  const auto exchange = Open(unary_);
  ASSERT_TRUE(exchange->Authorize());
  ASSERT_TRUE(exchange->TakeMessage(kLong));
  exchange->OnClientGone();
  exchange->Start(MustNotRead());
  ASSERT_TRUE(unary_->ended.HasBeenNotified());
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kCancelled);
  exchange->OnClosed();
}

TEST_F(ExchangeWaitsTest, TooManyTextsThatWaitAreRefused) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(reading_.TryRun({"ipv4:192.0.2.1", kLong, [] {}}));
  }
  const auto exchange = Open(unary_);
  ASSERT_TRUE(exchange->Authorize());
  ASSERT_TRUE(exchange->TakeMessage(kLong));
  exchange->Start(MustNotRead());
  ASSERT_TRUE(unary_->ended.HasBeenNotified());
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Rejected("queue_full"), 1);
  exchange->OnClosed();
}

TEST_F(ExchangeWaitsTest, ATextThatLosesItsPlaceToAnotherCallerIsRefused) {
  ASSERT_TRUE(reading_.TryRun({"ipv4:192.0.2.1", kLong, [] {}}));
  const auto exchange = Open(unary_);
  ASSERT_TRUE(exchange->Authorize());
  ASSERT_TRUE(exchange->TakeMessage(kLong));
  exchange->Start(MustNotRead());
  ASSERT_TRUE(reading_.TryRun({"ipv4:192.0.2.2", kLong, [] {}}));
  ASSERT_TRUE(unary_->ended.HasBeenNotified());
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Rejected("queue_full"), 1);
  exchange->OnClosed();
}

TEST_F(ExchangeWaitsTest, ATextThatWaitsWhenTheDrainIsOverIsUnavailable) {
  const auto exchange = Open(unary_);
  ASSERT_TRUE(exchange->Authorize());
  ASSERT_TRUE(exchange->TakeMessage(kLong));
  exchange->Start(MustNotRead());
  intake_.Abandon();
  may_end_.Notify();
  unary_->ended.WaitForNotification();
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kUnavailable);
  exchange->OnClosed();
}

TEST_F(ExchangeTest, ReadingEndsWhenTheClientLeaves) {
  const auto exchange = Open(unary_);
  ASSERT_TRUE(exchange->Authorize());
  ASSERT_TRUE(exchange->TakeMessage(kShort));
  exchange->Start([&](RequestReader::IsWanted is_wanted) {
    EXPECT_TRUE(is_wanted());
    exchange->OnClientGone();
    EXPECT_FALSE(is_wanted());
    return absl::CancelledError("not wanted");
  });
  ASSERT_TRUE(unary_->ended.HasBeenNotified());
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kCancelled);
  exchange->OnClosed();
}

TEST_F(ExchangeTest, AClientThatLeavesEndsItsRunningRequest) {
  const auto exchange = Open(unary_);
  ASSERT_TRUE(exchange->Authorize());
  ASSERT_TRUE(exchange->TakeMessage(kShort));
  gate_.Close();
  exchange->Start(Endless());
  gate_.AwaitEngine();
  exchange->OnClientGone();
  gate_.Open();
  unary_->ended.WaitForNotification();
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(engine_.WaitUntilIdle(absl::InfiniteDuration()));
  exchange->OnClosed();
}

TEST_F(ExchangeTest, ADeadlineThatHasPassedOnArrivalIsRefusedUnread) {
  Caller caller = TestCaller();
  caller.deadline = MonotonicTime::Now();
  Run(
      unary_,
      [](RequestReader::IsWanted) -> absl::StatusOr<PreparedRequest> {
        ADD_FAILURE() << "read in vain";
        return absl::InternalError("");
      },
      kShort, caller);
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Rejected("deadline"), 1);
}

// A transport that cancels at the deadline may be faster than the engine.
TEST_F(ExchangeTest, AClientThatLeavesAfterTheDeadlineIsLate) {
  Caller caller = TestCaller();
  caller.deadline = MonotonicTime::Now() + absl::Milliseconds(50);
  const auto exchange = Open(unary_, caller);
  ASSERT_TRUE(exchange->Authorize());
  ASSERT_TRUE(exchange->TakeMessage(kShort));
  gate_.Close();
  exchange->Start(Endless());
  gate_.AwaitEngine();
  while (MonotonicTime::Now() < caller.deadline) {
  }
  exchange->OnClientGone();
  gate_.Open();
  unary_->ended.WaitForNotification();
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kDeadlineExceeded);
  exchange->OnClosed();
}

TEST_F(ExchangeTest, TheAnswerMustBeReadASecondAfterTheDeadline) {
  Caller caller = TestCaller();
  caller.deadline = MonotonicTime::Now() + absl::Seconds(60);
  Run(unary_, Generate(ByteTokens("OK")), kShort, caller);
  EXPECT_EQ(unary_->read_deadline, caller.deadline + absl::Seconds(1));
}

TEST_F(ExchangeTest, ARequestWithoutADeadlineHasTheServers) {
  const MonotonicTime begin = MonotonicTime::Now();
  Run(unary_, Generate(ByteTokens("OK")));
  ASSERT_TRUE(unary_->read_deadline.has_value());
  EXPECT_GE(*unary_->read_deadline, begin + absl::Minutes(10));
  EXPECT_LT(*unary_->read_deadline, begin + absl::Minutes(11));
}

TEST_F(ExchangeTest, TheLogHasOneLinePerExchangeWithItsUsage) {
  Caller caller = TestCaller();
  caller.request_id = "my-id";
  Run(unary_, Generate(ByteTokens("HELLO")), kShort, caller);
  ASSERT_TRUE(log_.Flush(absl::InfiniteDuration()));
  ASSERT_EQ(lines_.size(), 1u);
  for (const char* word : {"request request_id=my-id", "method=test/Method",
                           "code=OK", "peer=ipv4:192.0.2.1:1234", "model=fake",
                           "input_tokens=5", "output_tokens=5", "segments=1",
                           "queue_ms=", "first_token_ms=", "total_ms="}) {
    EXPECT_THAT(lines_[0], HasSubstr(word));
  }
}

TEST_F(ExchangeTest, AnInvalidIdIsReplaced) {
  Caller caller = TestCaller();
  caller.request_id = "two words";
  const auto exchange = Open(unary_, caller);
  EXPECT_EQ(exchange->request_id().size(), 16u);
  EXPECT_FALSE(open_exchanges_.WaitUntilZero(absl::ZeroDuration()));
  ASSERT_TRUE(exchange->Authorize());
  EXPECT_FALSE(exchange->TakeMessage(2 * kMaxBytes));
  exchange->OnClosed();
  EXPECT_TRUE(open_exchanges_.WaitUntilZero(absl::ZeroDuration()));
}

}  // namespace
}  // namespace sheaf
