// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "engine/kernels/kernels.h"
#include "engine/thread_team.h"
#include "server/exchange.h"
#include "tests/server/fake_model.h"
#include "tests/support/gate.h"
#include "tests/support/metrics_text.h"

namespace sheaf {

inline constexpr int64_t kShort = 100, kLong = 10'000;  // bytes of a message
inline constexpr int32_t kMaxTokens = 200;

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

// A caller at the address that all exchanges of the tests have.
inline Caller TestCaller() {
  Caller caller;
  caller.peer = "ipv4:192.0.2.1:1234";
  caller.address = "ipv4:192.0.2.1";
  return caller;
}

class ExchangeTest : public testing::Test {
 protected:
  static constexpr int64_t kMaxBytes = 1 << 20;

  ExchangeTest() {
    model_.runner.before_decode = [this](int32_t) { gate_.Pass(); };
  }
  ~ExchangeTest() override { gate_.Open(); }

  std::shared_ptr<Exchange> Open(const std::shared_ptr<Responder>& responder,
                                 Caller caller = TestCaller()) {
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
           int64_t message_bytes = kShort, Caller caller = TestCaller()) {
    const auto exchange = Open(responder, std::move(caller));
    ASSERT_TRUE(exchange->Authorize());
    ASSERT_TRUE(exchange->TakeMessage(message_bytes));
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
  WaitCount unfinished_requests_;
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
                              .unfinished_requests = &unfinished_requests_,
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

}  // namespace sheaf
