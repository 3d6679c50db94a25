// SPDX-License-Identifier: Apache-2.0

#include "server/batch_exchange.h"

#include <utility>

#include "base/check.h"
#include "server/responder.h"

namespace sheaf {

// Collects the answer to one item.
class BatchExchange::ItemResponder final : public Responder {
 public:
  ItemResponder(std::shared_ptr<BatchExchange> batch, int index)
      : batch_(std::move(batch)), index_(index) {}

  bool TakesParts() const override { return false; }
  bool IsReady() const override { return true; }
  void LimitReading(MonotonicTime deadline) override {
    batch_->LimitReading(deadline);
  }
  void Send(const AnswerPart&) override { SHEAF_CHECK(false); }
  void Finish(const AnswerPart& whole, const AnswerSummary& summary) override {
    BatchAnswer answer = {whole, summary};
    batch_->EndItem(index_, absl::OkStatus(), &answer);
  }
  void Fail(const absl::Status& status) override {
    batch_->EndItem(index_, status, nullptr);
  }

 private:
  const std::shared_ptr<BatchExchange> batch_;
  const int index_;
};

BatchExchange::BatchExchange(const Services& services, Caller caller,
                             std::shared_ptr<BatchResponder> responder)
    : services_(services),
      responder_(std::move(responder)),
      caller_(std::move(caller)) {}

std::shared_ptr<BatchExchange> BatchExchange::Open(
    const Services& services, Caller caller,
    std::shared_ptr<BatchResponder> responder) {
  std::shared_ptr<BatchExchange> batch(
      new BatchExchange(services, std::move(caller), std::move(responder)));
  batch->caller_.request_id = batch->Add(/*read=*/nullptr)->request_id();
  return batch;
}

std::shared_ptr<Exchange> BatchExchange::Add(Exchange::Read read) {
  absl::MutexLock lock(&mu_);
  const int index = static_cast<int>(items_.size());
  auto exchange = std::make_shared<Exchange>(
      services_, caller_,
      std::make_shared<ItemResponder>(shared_from_this(), index));
  items_.push_back({.exchange = exchange, .read = std::move(read)});
  return exchange;
}

bool BatchExchange::Authorize() {
  const std::shared_ptr<Exchange> first = Exchanges().front();
  if (!first->Authorize()) return false;
  caller_name_ = first->caller();
  return true;
}

// The first item counts the bytes of the whole message.
bool BatchExchange::TakeMessage(int64_t message_bytes) {
  return Exchanges().front()->TakeMessage(message_bytes);
}

void BatchExchange::OnNoMessage(const absl::Status& reason) {
  Exchanges().front()->OnNoMessage(reason);
}

// The first item parses the message when it is read. So it waits for its turn,
// or is withdrawn, as a single request.
void BatchExchange::Start(Parse parse) {
  std::shared_ptr<Exchange> first;
  {
    absl::MutexLock lock(&mu_);
    first = items_.front().exchange;
    items_.front().stage = Stage::kRunning;
    num_running_ = 1;
  }
  first->Start([self = shared_from_this(),
                parse = std::move(parse)](RequestReader::IsWanted is_wanted)
                   -> absl::StatusOr<PreparedRequest> {
    absl::StatusOr<std::vector<BatchItem>> items = parse();
    if (!items.ok()) return items.status();
    const Exchange::Read read = std::move(items->front().read);
    self->AcceptOthers(*std::move(items));
    return read(is_wanted);
  });
}

void BatchExchange::AcceptOthers(std::vector<BatchItem> items) {
  for (size_t i = 1; i < items.size(); ++i) {
    if (!Accept(std::move(items[i]))) return;
  }
  {
    absl::MutexLock lock(&mu_);
    if (!MustStartLocked()) return;
  }
  RunStarter();
}

bool BatchExchange::Accept(BatchItem item) {
  {
    absl::MutexLock lock(&mu_);
    if (failure_.has_value()) return false;
  }
  const std::shared_ptr<Exchange> exchange = Add(std::move(item.read));
  if (!exchange->Authorize() || !exchange->TakeMessage(item.bytes)) {
    return false;
  }
  {
    absl::MutexLock lock(&mu_);
    items_.back().stage = Stage::kWaiting;
    if (!failure_.has_value()) return true;
    items_.back().stage = Stage::kRunning;  // Abandon() did not see it
    ++num_running_;
    next_ = items_.size();
  }
  exchange->OnNoMessage(absl::CancelledError("the call has failed"));
  return false;
}

// Whether StartWaiting() is to run. If so, the caller has it run.
bool BatchExchange::MustStartLocked() {
  if (is_starting_ || failure_.has_value() || next_ >= items_.size() ||
      num_running_ >= kMaxRunning) {
    return false;
  }
  is_starting_ = true;
  return true;
}

void BatchExchange::RunStarter() {
  services_.reading->Run(
      {.caller = caller_name_,
       .read = [self = shared_from_this()] { self->StartWaiting(); }});
}

void BatchExchange::StartWaiting() {
  while (true) {
    std::shared_ptr<Exchange> exchange;
    Exchange::Read read;
    {
      absl::MutexLock lock(&mu_);
      is_starting_ = false;
      if (!MustStartLocked()) return;
      Item& item = items_[next_++];
      item.stage = Stage::kRunning;
      ++num_running_;
      exchange = item.exchange;
      read = std::move(item.read);
    }
    exchange->Start(std::move(read));
    services_.reading->Yield();
  }
}

void BatchExchange::LimitReading(MonotonicTime deadline) {
  {
    absl::MutexLock lock(&mu_);
    if (std::exchange(is_limited_, true)) return;
  }
  responder_->LimitReading(deadline);
}

void BatchExchange::EndItem(int index, const absl::Status& status,
                            BatchAnswer* answer) {
  if (answer == nullptr) Abandon(status, index);
  bool is_last = false;
  bool must_start = false;
  {
    absl::MutexLock lock(&mu_);
    Item& item = items_[index];
    if (answer != nullptr) item.answer = std::move(*answer);
    if (item.stage == Stage::kRunning) --num_running_;
    item.stage = Stage::kEnded;
    is_last = ++num_ended_ == items_.size();
    must_start = MustStartLocked();
  }
  if (must_start) RunStarter();
  if (is_last) Conclude();
}

void BatchExchange::Abandon(const absl::Status& status,
                            std::optional<int> item) {
  std::vector<std::shared_ptr<Exchange>> waiting, running;
  {
    absl::MutexLock lock(&mu_);
    if (failure_.has_value()) return;
    failure_ = {status, item};
    for (size_t i = 0; i < items_.size(); ++i) {
      if (static_cast<int>(i) == item.value_or(-1)) continue;
      // The first item has no message yet while it is being accepted.
      if (items_[i].stage == Stage::kRunning ||
          (items_[i].stage == Stage::kAccepting && i == 0)) {
        running.push_back(items_[i].exchange);
      } else if (items_[i].stage == Stage::kWaiting) {
        items_[i].stage = Stage::kRunning;
        ++num_running_;
        waiting.push_back(items_[i].exchange);
      }
    }
    next_ = items_.size();
  }
  for (const auto& exchange : running) exchange->OnClientGone();
  for (const auto& exchange : waiting) {
    exchange->OnNoMessage(absl::CancelledError("the call has failed"));
  }
}

void BatchExchange::Conclude() {
  std::optional<Failure> failure;
  std::vector<BatchAnswer> answers;
  {
    absl::MutexLock lock(&mu_);
    failure = failure_;
    if (!failure.has_value()) {
      answers.reserve(items_.size());
      for (Item& item : items_) answers.push_back(std::move(item.answer));
    }
  }
  if (failure.has_value()) {
    responder_->Fail(failure->status, failure->item);
  } else {
    responder_->Finish(std::move(answers));
  }
}

std::vector<std::shared_ptr<Exchange>> BatchExchange::Exchanges() {
  absl::MutexLock lock(&mu_);
  std::vector<std::shared_ptr<Exchange>> exchanges;
  exchanges.reserve(items_.size());
  for (const Item& item : items_) exchanges.push_back(item.exchange);
  return exchanges;
}

void BatchExchange::OnClientGone() {
  Abandon(absl::CancelledError("the client has left"), std::nullopt);
}

void BatchExchange::OnUnread() {
  for (const auto& exchange : Exchanges()) exchange->OnUnread();
}

void BatchExchange::OnClosed() {
  const std::vector<std::shared_ptr<Exchange>> exchanges = Exchanges();
  {
    absl::MutexLock lock(&mu_);
    items_.clear();
  }
  for (const auto& exchange : exchanges) exchange->OnClosed();
}

}  // namespace sheaf
