// Drives exchanges without a transport: a fake responder, and an engine with a
// fake model.

#include "server/exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "engine/kernels/kernels.h"
#include "engine/thread_team.h"
#include "tests/server/fake_model.h"
#include "tests/support/gate.h"
#include "tests/support/metrics_text.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kShort = 100, kLong = 10'000;  // bytes of a message
constexpr int32_t kMaxTokens = 200;

// Records the calls of the exchange. A part stays on its way until MakeReady().
class FakeResponder : public Responder {
 public:
  explicit FakeResponder(bool takes_parts) : takes_parts_(takes_parts) {}

  bool TakesParts() const override { return takes_parts_; }
  bool IsReady() const override {
    absl::MutexLock lock(&mu_);
    return is_ready_;
  }
  void LimitReading(MonotonicTime deadline) override {
    read_deadline = deadline;
  }
  void Send(const AnswerPart& part) override {
    EXPECT_TRUE(takes_parts_);
    EXPECT_FALSE(ended.HasBeenNotified());
    absl::MutexLock lock(&mu_);
    EXPECT_TRUE(is_ready_);
    is_ready_ = false;
    parts_.push_back(part.text);
  }
  void Finish(const AnswerPart& rest,
              const AnswerSummary& the_summary) override {
    EXPECT_TRUE(IsReady());
    last_part = rest.text;
    summary = the_summary;
    End(absl::OkStatus());
  }
  void Fail(const absl::Status& the_status) override { End(the_status); }

  void MakeReady() {
    absl::MutexLock lock(&mu_);
    is_ready_ = true;
  }
  std::vector<std::string> parts() const {
    absl::MutexLock lock(&mu_);
    return parts_;
  }
  void AwaitPart() {
    const auto has_part = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return !parts_.empty();
    };
    absl::MutexLock lock(&mu_, absl::Condition(&has_part));
  }

  std::function<void()> on_end = [] {};  // at the end, before `ended`
  absl::Notification ended;
  // May be read once `ended` is notified, the deadline before that.
  absl::Status status;
  std::string last_part;
  AnswerSummary summary;
  std::optional<MonotonicTime> read_deadline;

 private:
  void End(const absl::Status& the_status) {
    on_end();
    status = the_status;
    ended.Notify();  // dies if the exchange ends twice
  }

  const bool takes_parts_;
  mutable absl::Mutex mu_;
  bool is_ready_ ABSL_GUARDED_BY(mu_) = true;
  std::vector<std::string> parts_ ABSL_GUARDED_BY(mu_);
};

class ExchangeTest : public testing::Test {
 protected:
  static constexpr int64_t kMaxBytes = 1 << 20;

  ExchangeTest() {
    model_.runner.before_decode = [this](int32_t) { gate_.Pass(); };
  }
  ~ExchangeTest() override { gate_.Open(); }

  std::shared_ptr<Exchange> Open(const std::shared_ptr<Responder>& responder,
                                 Caller caller = Caller()) {
    if (caller.peer.empty()) caller.peer = "ipv4:192.0.2.1:1234";
    caller.method = "test/Method";
    return std::make_shared<Exchange>(services_, std::move(caller), responder);
  }

  // Reads `message`, as a transport does once it has parsed it.
  template <typename Message>
  Exchange::Read ReadOf(Message message) {
    return [this, message](RequestReader::IsWanted is_wanted) {
      return reader_.Read(message, is_wanted);
    };
  }
  Exchange::Read Generate(const std::vector<int32_t>& tokens,
                          int32_t max_new_tokens = kMaxTokens) {
    v1::GenerateRequest request;
    request.mutable_tokens()->mutable_ids()->Assign(tokens.begin(),
                                                    tokens.end());
    request.mutable_decoding()->set_max_new_tokens(max_new_tokens);
    return ReadOf(request);
  }
  Exchange::Read Endless() { return Generate({kEndlessToken}); }

  // Runs a request to its end and closes it. REQUIRES: the responder takes no
  // parts, because one would stay on its way.
  void Run(const std::shared_ptr<FakeResponder>& responder, Exchange::Read read,
           int64_t message_bytes = kShort, Caller caller = Caller()) {
    const auto exchange = Open(responder, std::move(caller));
    ASSERT_TRUE(exchange->Authorize(message_bytes));
    exchange->Start(std::move(read));
    responder->ended.WaitForNotification();
    exchange->OnClosed();
  }

  // Returns once the delivery thread has made all deliveries so far.
  void AwaitDelivery() {
    struct Marker : Deliverable {
      void Deliver() override { delivered.Notify(); }
      absl::Notification delivered;
    };
    const auto marker = std::make_shared<Marker>();
    delivery_.Push(marker);
    marker->delivered.WaitForNotification();
  }

  double Rejected(const std::string& reason) {
    return MetricValue(
        metrics_.Scrape(),
        absl::StrCat("sheaf_requests_rejected_total{model=\"fake\",reason=\"",
                     reason, "\"}"));
  }

  Gate gate_;
  FakeModel model_;
  ThreadTeam team_{/*size=*/1};
  CallerLimiter limiter_{/*tokens=*/nullptr, /*max_requests_per_caller=*/2};
  Metrics metrics_{"fake", /*kv_capacity_bytes=*/1};
  int64_t held_bytes_ = 0;
  Intake intake_{kMaxBytes, [this](int64_t bytes) { held_bytes_ = bytes; }};
  WaitCount open_exchanges_;
  const RequestReader reader_{model_.served, {.max_new_tokens = kMaxTokens}};
  std::vector<std::string> lines_;  // of the log; may be read after Flush()
  Log log_{LogFormat::kText, [this](absl::string_view line) {
             lines_.emplace_back(line);
             return true;
           }};
  Delivery delivery_;
  Engine engine_{
      EngineOptions(),
      team_,
      kernels::KernelsFor(kernels::Isa::kPortable),
      {{.runner = &model_.runner, .kv_shape = FakeModel::KvShape()}}};
  FairExecutor reading_{{.max_waiting = 2}};
  const Services services_ = {.engine = &engine_,
                              .delivery = &delivery_,
                              .metrics = &metrics_,
                              .open_exchanges = &open_exchanges_,
                              .request_reader = &reader_,
                              .reading = &reading_,
                              .limiter = &limiter_,
                              .intake = &intake_,
                              .log = &log_};
  std::shared_ptr<FakeResponder> unary_ =
      std::make_shared<FakeResponder>(/*takes_parts=*/false);
  std::shared_ptr<FakeResponder> stream_ =
      std::make_shared<FakeResponder>(/*takes_parts=*/true);
};

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
  ASSERT_TRUE(exchange->Authorize(kShort));
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
  const auto lease_1 = limiter_.Acquire("ipv4:192.0.2.1:1", "");
  const auto lease_2 = limiter_.Acquire("ipv4:192.0.2.1:2", "");
  const auto exchange = Open(unary_);
  EXPECT_FALSE(exchange->Authorize(kShort));
  ASSERT_TRUE(unary_->ended.HasBeenNotified());
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Rejected("caller_limit"), 1);
  exchange->OnClosed();
}

TEST_F(ExchangeTest, ACallersPlaceIsFreeBeforeTheClientKnowsTheEnd) {
  const auto other = limiter_.Acquire("ipv4:192.0.2.1:1", "");
  bool is_free = false;
  unary_->on_end = [&] {
    is_free = limiter_.Acquire("ipv4:192.0.2.1:2", "").ok();
  };
  Run(unary_, Generate(ByteTokens("OK")));
  EXPECT_TRUE(is_free);
}

TEST_F(ExchangeTest, BytesAreHeldFromAuthorizationUntilItIsClosed) {
  const auto exchange = Open(unary_);
  ASSERT_TRUE(exchange->Authorize(kLong));
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
  EXPECT_FALSE(too_large->Authorize(2 * kMaxBytes));
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Rejected("invalid_argument"), 1);
  const auto others = intake_.Take(kMaxBytes);
  const auto exchange = Open(stream_);
  EXPECT_FALSE(exchange->Authorize(kShort));
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
  ASSERT_TRUE(exchange->Authorize(kLong));
  exchange->Start(MustNotRead());
  EXPECT_FALSE(unary_->ended.HasBeenNotified());
  exchange->OnClientGone();
  ASSERT_TRUE(unary_->ended.HasBeenNotified());
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kCancelled);
  exchange->OnClosed();
}

TEST_F(ExchangeWaitsTest, AClientThatLeftBeforeItsTextWaitedIsNotForgotten) {
  const auto exchange = Open(unary_);
  ASSERT_TRUE(exchange->Authorize(kLong));
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
  ASSERT_TRUE(exchange->Authorize(kLong));
  exchange->Start(MustNotRead());
  ASSERT_TRUE(unary_->ended.HasBeenNotified());
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Rejected("queue_full"), 1);
  exchange->OnClosed();
}

TEST_F(ExchangeWaitsTest, ATextThatWaitsWhenTheDrainIsOverIsUnavailable) {
  const auto exchange = Open(unary_);
  ASSERT_TRUE(exchange->Authorize(kLong));
  exchange->Start(MustNotRead());
  intake_.Abandon();
  may_end_.Notify();
  unary_->ended.WaitForNotification();
  EXPECT_EQ(unary_->status.code(), absl::StatusCode::kUnavailable);
  exchange->OnClosed();
}

TEST_F(ExchangeTest, ReadingEndsWhenTheClientLeaves) {
  const auto exchange = Open(unary_);
  ASSERT_TRUE(exchange->Authorize(kShort));
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
  ASSERT_TRUE(exchange->Authorize(kShort));
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
  Caller caller;
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
  Caller caller;
  caller.deadline = MonotonicTime::Now() + absl::Milliseconds(50);
  const auto exchange = Open(unary_, caller);
  ASSERT_TRUE(exchange->Authorize(kShort));
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
  Caller caller;
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
  Caller caller;
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
  Caller caller;
  caller.request_id = "two words";
  const auto exchange = Open(unary_, caller);
  EXPECT_EQ(exchange->request_id().size(), 16u);
  EXPECT_FALSE(open_exchanges_.WaitUntilZero(absl::ZeroDuration()));
  EXPECT_FALSE(exchange->Authorize(2 * kMaxBytes));
  exchange->OnClosed();
  EXPECT_TRUE(open_exchanges_.WaitUntilZero(absl::ZeroDuration()));
}

}  // namespace
}  // namespace sheaf
