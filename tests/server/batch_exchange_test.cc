// SPDX-License-Identifier: Apache-2.0

// Drives batches without a transport, like exchange_test.

#include "server/batch_exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "tests/server/exchange_fixture.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FakeBatchResponder : public BatchResponder {
 public:
  void LimitReading(MonotonicTime deadline) override {
    absl::MutexLock lock(&mu_);
    read_deadline_ = deadline;
  }
  bool TakesParts() const override { return takes_parts; }
  bool IsReady() const override { return true; }
  void Send(const AnswerPart& part) override {
    if (sent.empty()) has_sent.Notify();
    sent += part.text;
  }
  void Finish(std::vector<TextAnswer> the_answers) override {
    answers = std::move(the_answers);
    ended.Notify();  // dies if the batch ends twice
  }
  void Fail(const absl::Status& the_status, std::optional<int> item) override {
    status = the_status;
    failed_item = item;
    ended.Notify();
  }

  std::vector<std::string> texts() const {
    std::vector<std::string> out;
    for (const TextAnswer& answer : answers) out.push_back(answer.whole.text);
    return out;
  }

  MonotonicTime read_deadline() const {
    absl::MutexLock lock(&mu_);
    return read_deadline_;
  }

  bool takes_parts = false;
  absl::Notification has_sent, ended;
  // May be read once `ended` is notified.
  std::string sent;
  std::vector<TextAnswer> answers;
  absl::Status status;
  std::optional<int> failed_item;

 private:
  mutable absl::Mutex mu_;
  MonotonicTime read_deadline_ ABSL_GUARDED_BY(mu_);
};

class BatchExchangeTest : public ExchangeTest {
 protected:
  std::shared_ptr<BatchExchange> OpenBatch(CallerLimiter* limiter) {
    Services services = services_;
    services.limiter = limiter;
    services.intake = &large_intake_;
    Caller caller = TestCaller();
    caller.method = "test/Batch";
    return BatchExchange::Open(services, caller, responder_);
  }
  std::vector<BatchItem> ItemsOf(const std::vector<std::string>& texts) {
    std::vector<BatchItem> items;
    items.reserve(texts.size());
    for (const std::string& text : texts) {
      items.push_back({Generate(ByteTokens(text)), kShort});
    }
    return items;
  }
  void Run(const std::shared_ptr<BatchExchange>& batch,
           BatchExchange::Parse parse, int64_t message_bytes = kShort) {
    ASSERT_TRUE(batch->Authorize());
    ASSERT_TRUE(batch->TakeMessage(message_bytes));
    batch->Start(std::move(parse));
    responder_->ended.WaitForNotification();
    batch->OnClosed();
  }
  // The texts of a caller are read one after another.
  void AwaitReading() {
    absl::Notification is_turn_over;
    reading_.Run({.caller = TestCaller().address,
                  .read = [&] { is_turn_over.Notify(); }});
    is_turn_over.WaitForNotification();
  }
  void ExpectNothingIsLeft() {
    EXPECT_TRUE(engine_.WaitUntilIdle(absl::InfiniteDuration()));
    open_exchanges_.WaitUntilZero(absl::InfiniteDuration());
    unfinished_requests_.WaitUntilZero(absl::InfiniteDuration());
    EXPECT_EQ(held_by_batches_, 0);
    EXPECT_EQ(NumFreePlaces(), kMaxPerCaller);
  }
  // The caller's places that are free.
  size_t NumFreePlaces() {
    std::vector<CallerLease> leases;
    while (true) {
      absl::StatusOr<CallerLease> lease = unlimited_.Acquire(TestCaller());
      if (!lease.ok()) return leases.size();
      leases.push_back(*std::move(lease));
    }
  }

  static constexpr size_t kMaxPerCaller = 300;
  int64_t held_by_batches_ = 0;
  Intake large_intake_{16 << 20,
                       [this](int64_t bytes) { held_by_batches_ = bytes; }};
  CallerLimiter unlimited_{/*tokens=*/nullptr, kMaxPerCaller};
  std::shared_ptr<FakeBatchResponder> responder_ =
      std::make_shared<FakeBatchResponder>();
};

TEST_F(BatchExchangeTest, AnswersComeInTheOrderOfTheItems) {
  Run(OpenBatch(&unlimited_), [&] {
    return ItemsOf({"LONG AND LONGER", "B", "", "DD"});
  });
  // Generate needs at least one token.
  EXPECT_EQ(responder_->status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(responder_->failed_item, 2);
  responder_ = std::make_shared<FakeBatchResponder>();
  Run(OpenBatch(&unlimited_), [&] {
    return ItemsOf({"LONG AND LONGER", "B", "DD"});
  });
  EXPECT_TRUE(responder_->status.ok()) << responder_->status;
  EXPECT_THAT(responder_->texts(), ElementsAre("LONG AND LONGER", "B", "DD"));
  EXPECT_EQ(responder_->answers[2].summary.num_output_tokens, 2);
  ExpectNothingIsLeft();
}

TEST_F(BatchExchangeTest, ASingleItemMayBeAnsweredInParts) {
  responder_->takes_parts = true;
  gate_.Close(/*num_steps=*/3);
  const auto batch = OpenBatch(&unlimited_);
  ASSERT_TRUE(batch->Authorize());
  ASSERT_TRUE(batch->TakeMessage(kShort));
  batch->Start([&] { return ItemsOf({"A TEXT"}); });
  responder_->has_sent.WaitForNotification();
  gate_.Open();
  responder_->ended.WaitForNotification();
  batch->OnClosed();
  EXPECT_TRUE(responder_->status.ok()) << responder_->status;
  ASSERT_EQ(responder_->answers.size(), 1u);
  EXPECT_EQ(responder_->sent + responder_->answers[0].whole.text, "A TEXT");
  ExpectNothingIsLeft();
}

TEST_F(BatchExchangeTest, TheClientMayReadUntilTheLatestDeadlineOfAnItem) {
  const MonotonicTime begin = MonotonicTime::Now();
  Run(OpenBatch(&unlimited_),
      [&] { return ItemsOf(std::vector<std::string>(40, "A TEXT")); });
  const absl::Duration limit = responder_->read_deadline() - begin;
  EXPECT_GT(limit, services_.default_deadline);
  EXPECT_LT(limit, services_.default_deadline + absl::Minutes(1));
}

TEST_F(BatchExchangeTest, ALargeBatchRunsAPartOfItsItemsAtATime) {
  std::vector<std::string> texts;
  for (int i = 0; i < 300; ++i) {
    texts.push_back(absl::StrCat("TEXT ", i));
  }
  std::atomic<int> num_read = 0;
  gate_.Close();
  const auto batch = OpenBatch(&unlimited_);
  ASSERT_TRUE(batch->Authorize());
  ASSERT_TRUE(batch->TakeMessage(kShort));
  batch->Start([&] {
    std::vector<BatchItem> items = ItemsOf(texts);
    for (BatchItem& item : items) {
      item.read = [&num_read, read = std::move(item.read)](
                      RequestReader::IsWanted is_wanted) {
        ++num_read;
        return read(is_wanted);
      };
    }
    return items;
  });
  AwaitReading();
  EXPECT_EQ(num_read, BatchExchange::kMaxRunning);
  EXPECT_EQ(NumFreePlaces(), kMaxPerCaller - BatchExchange::kMaxRunning);
  gate_.Open();
  responder_->ended.WaitForNotification();
  EXPECT_TRUE(responder_->status.ok()) << responder_->status;
  EXPECT_EQ(responder_->texts(), texts);
  batch->OnClosed();
  ExpectNothingIsLeft();
}

TEST_F(BatchExchangeTest, EveryItemHasALineWithTheRequestIdOfTheCall) {
  const auto batch = OpenBatch(&unlimited_);
  Run(batch, [&] { return ItemsOf({"A", "B", "C"}); });
  log_.Flush(absl::InfiniteDuration());
  ASSERT_EQ(lines_.size(), 3u);
  for (const std::string& line : lines_) {
    EXPECT_THAT(line, HasSubstr(batch->request_id()));
    EXPECT_THAT(line, HasSubstr("test/Batch"));
  }
}

TEST_F(BatchExchangeTest, AMessageThatIsNotRightFailsTheCall) {
  Run(OpenBatch(&unlimited_),
      [] { return absl::InvalidArgumentError("q has no texts"); });
  EXPECT_EQ(responder_->status, absl::InvalidArgumentError("q has no texts"));
  EXPECT_EQ(Rejected("invalid_argument"), 1);
  ExpectNothingIsLeft();
}

TEST_F(BatchExchangeTest, IfOneItemFailsTheOthersAreCancelled) {
  Run(OpenBatch(&unlimited_), [&] {
    std::vector<BatchItem> items;
    for (int i = 0; i < 100; ++i) {
      items.push_back({Endless(), kShort});
      if (i == 5) items.back() = {Generate({}), kShort};
    }
    return items;
  });
  EXPECT_EQ(responder_->status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(responder_->failed_item, 5);
  log_.Flush(absl::InfiniteDuration());
  EXPECT_EQ(lines_.size(), 6u);  // the others did not begin
  ExpectNothingIsLeft();
}

TEST_F(BatchExchangeTest, ADrainWaitsForItemsThatHaveNotBegun) {
  gate_.Close();
  const auto batch = OpenBatch(&unlimited_);
  ASSERT_TRUE(batch->Authorize());
  ASSERT_TRUE(batch->TakeMessage(kShort));
  batch->Start([&] { return ItemsOf(std::vector<std::string>(100, "A")); });
  large_intake_.Close();
  gate_.Open();
  EXPECT_TRUE(unfinished_requests_.WaitUntilZero(absl::Minutes(1)));
  responder_->ended.WaitForNotification();
  EXPECT_TRUE(responder_->status.ok()) << responder_->status;
  EXPECT_EQ(responder_->answers.size(), 100u);
  batch->OnClosed();
}

TEST_F(BatchExchangeTest, ABatchRunsAsManyItemsAsItsCallerMay) {
  gate_.Close();
  CallerLimiter limiter(/*tokens=*/nullptr, /*max_per_caller=*/5);
  const auto batch = OpenBatch(&limiter);
  const std::vector<std::string> texts = {"A", "B", "C", "D", "E"};
  ASSERT_TRUE(batch->Authorize());
  ASSERT_TRUE(batch->TakeMessage(kShort));
  batch->Start([&] {
    std::vector<BatchItem> items;
    for (const std::string& text : texts) {
      v1::GenerateRequest request;
      const std::vector<int32_t> ids = ByteTokens(text);
      request.mutable_tokens()->mutable_ids()->Assign(ids.begin(), ids.end());
      request.mutable_decoding()->set_beam_size(2);
      items.push_back({ReadOf(request), kShort});
    }
    return items;
  });
  AwaitReading();
  // Two items run, with four sequences.
  EXPECT_TRUE(limiter.Acquire(TestCaller()).ok());
  gate_.Open();
  responder_->ended.WaitForNotification();
  batch->OnClosed();
  EXPECT_TRUE(responder_->status.ok()) << responder_->status;
  EXPECT_EQ(responder_->texts(), texts);
  EXPECT_EQ(Rejected("caller_limit"), 0);
  ExpectNothingIsLeft();
}

TEST_F(BatchExchangeTest, ACallerOverItsLimitIsRefusedAsAWhole) {
  gate_.Close();
  const absl::StatusOr<CallerLease> other = limiter_.Acquire(TestCaller());
  const auto batch = OpenBatch(&limiter_);
  ASSERT_TRUE(batch->Authorize());
  ASSERT_TRUE(batch->TakeMessage(kShort));
  batch->Start([&] { return ItemsOf({"A", "B", "C", "D"}); });
  AwaitReading();
  gate_.Open();
  responder_->ended.WaitForNotification();
  batch->OnClosed();
  EXPECT_EQ(responder_->status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(responder_->failed_item, 1);  // two sequences are allowed
  EXPECT_EQ(Rejected("caller_limit"), 1);
  ExpectNothingIsLeft();
}

TEST_F(BatchExchangeTest, AClientThatLeavesCancelsWhatRunsAndWhatWaits) {
  gate_.Close();
  const auto batch = OpenBatch(&unlimited_);
  ASSERT_TRUE(batch->Authorize());
  ASSERT_TRUE(batch->TakeMessage(kShort));
  batch->Start([&] {
    std::vector<BatchItem> items;
    for (size_t i = 0; i < 2 * BatchExchange::kMaxRunning; ++i) {
      items.push_back({Endless(), kShort});
    }
    return items;
  });
  batch->OnClientGone();
  gate_.Open();
  responder_->ended.WaitForNotification();
  EXPECT_EQ(responder_->status.code(), absl::StatusCode::kCancelled);
  batch->OnClosed();
  ExpectNothingIsLeft();
}

TEST_F(BatchExchangeTest, AClientMayLeaveBeforeItsMessageIsThere) {
  const auto batch = OpenBatch(&unlimited_);
  ASSERT_TRUE(batch->Authorize());
  batch->OnNoMessage(absl::CancelledError(""));
  batch->OnClientGone();
  ASSERT_TRUE(responder_->ended.HasBeenNotified());
  EXPECT_EQ(responder_->status.code(), absl::StatusCode::kCancelled);
  batch->OnClosed();
  ExpectNothingIsLeft();
}

TEST_F(BatchExchangeTest, NothingIsLeftWheneverAClientLeaves) {
  for (int num_steps = 0; num_steps < 60; ++num_steps) {
    responder_ = std::make_shared<FakeBatchResponder>();
    const auto batch = OpenBatch(&unlimited_);
    ASSERT_TRUE(batch->Authorize());
    ASSERT_TRUE(batch->TakeMessage(num_steps % 2 == 0 ? kShort : kLong));
    gate_.Close(num_steps);
    batch->Start(
        [&] { return ItemsOf(std::vector<std::string>(50, "A TEXT")); });
    batch->OnClientGone();
    gate_.Open();
    responder_->ended.WaitForNotification();
    batch->OnClosed();
    ExpectNothingIsLeft();
  }
}

}  // namespace
}  // namespace sheaf
