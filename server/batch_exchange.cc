// SPDX-License-Identifier: Apache-2.0

#include "server/batch_exchange.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/responder.h"

namespace sheaf {

// Hands the answer to one item to the batch.
class BatchExchange::ItemResponder final : public Responder {
 public:
  ItemResponder(std::shared_ptr<BatchExchange> batch, size_t index)
      : batch_(std::move(batch)), index_(index) {}

  bool TakesParts() const override {
    return index_ == 0 && batch_->responder_->TakesParts();
  }
  bool IsReady() const override {
    return index_ != 0 || batch_->responder_->IsReady();
  }
  void LimitReading(MonotonicTime deadline) override {
    batch_->LimitReading(deadline);
  }
  void Send(const AnswerPart& part) override { batch_->responder_->Send(part); }
  void Finish(const AnswerPart& rest, const AnswerSummary& summary) override {
    TextAnswer answer = {rest, summary};
    batch_->EndItem(index_, absl::OkStatus(), &answer);
  }
  void Fail(const absl::Status& status) override {
    batch_->EndItem(index_, status, nullptr);
  }

 private:
  const std::shared_ptr<BatchExchange> batch_;
  const size_t index_;
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
  absl::MutexLock lock(&batch->mu_);
  batch->items_.resize(1);
  batch->caller_.request_id = batch->OpenNextLocked()->request_id();
  return batch;
}

std::shared_ptr<Exchange> BatchExchange::OpenNextLocked() {
  const size_t index = num_begun_++;
  ++num_running_;
  items_[index].exchange = std::make_shared<Exchange>(
      services_, caller_,
      std::make_shared<ItemResponder>(shared_from_this(), index),
      /*is_rest_of_call=*/index > 0);
  return items_[index].exchange;
}

std::shared_ptr<Exchange> BatchExchange::First() {
  absl::MutexLock lock(&mu_);
  return items_.front().exchange;
}

bool BatchExchange::Authorize() {
  const std::shared_ptr<Exchange> first = First();
  if (!first->Authorize()) return false;
  caller_name_ = first->caller();
  return true;
}

// The first item counts the bytes of the whole message.
bool BatchExchange::TakeMessage(int64_t message_bytes) {
  return First()->TakeMessage(message_bytes);
}

void BatchExchange::OnNoMessage(const absl::Status& reason) {
  First()->OnNoMessage(reason);
}

// The first item parses the message when it is read. So it waits for its turn,
// or is withdrawn, as a single request.
void BatchExchange::Start(Parse parse) {
  First()->Start([self = shared_from_this(),
                  parse = std::move(parse)](RequestReader::IsWanted is_wanted)
                     -> absl::StatusOr<PreparedRequest> {
    absl::StatusOr<std::vector<BatchItem>> items = parse();
    if (!items.ok()) return items.status();
    SHEAF_CHECK(!items->empty());
    absl::StatusOr<PreparedRequest> first = items->front().read(is_wanted);
    if (first.ok() && items->size() > 1) {
      const int32_t num_fitting =
          self->First()->max_sequences() /
          std::max(1, first->request.sampling.beam_size);
      self->AddOthers(*std::move(items), static_cast<size_t>(std::clamp(
                                             num_fitting, 1, kMaxRunning)));
    }
    return first;
  });
}

void BatchExchange::AddOthers(std::vector<BatchItem> items,
                              size_t max_running) {
  services_.unfinished_requests->Add(1);  // until Conclude()
  {
    absl::MutexLock lock(&mu_);
    max_running_ = max_running;
    items_.resize(items.size());
    for (size_t i = 1; i < items.size(); ++i) {
      items_[i].request = std::move(items[i]);
    }
    if (!MustStartLocked()) return;
  }
  RunStarter();
}

// Whether StartWaiting() is to run. If so, the caller has it run.
bool BatchExchange::MustStartLocked() {
  if (is_starting_ || failure_.has_value() || num_begun_ >= items_.size() ||
      num_running_ >= max_running_) {
    return false;
  }
  is_starting_ = true;
  return true;
}

// Whether nothing is left to do, for the last thread that did something.
bool BatchExchange::MustEndLocked() {
  return num_running_ == 0 && !is_starting_ &&
         (failure_.has_value() || num_begun_ == items_.size());
}

void BatchExchange::RunStarter() {
  services_.reading->Run(
      {.caller = caller_name_,
       .read = [self = shared_from_this()] { self->StartWaiting(); }});
}

void BatchExchange::StartWaiting() {
  bool is_last = false;
  while (true) {
    std::shared_ptr<Exchange> exchange;
    BatchItem request;
    {
      absl::MutexLock lock(&mu_);
      is_starting_ = false;
      is_last = MustEndLocked();
      if (!MustStartLocked()) break;
      request = std::move(items_[num_begun_].request);
      exchange = OpenNextLocked();
    }
    if (exchange->Authorize() && exchange->TakeMessage(request.num_bytes)) {
      exchange->Start(std::move(request.read));
    }
    services_.reading->Yield();
  }
  if (is_last) Conclude();
}

void BatchExchange::LimitReading(MonotonicTime deadline) {
  {
    absl::MutexLock lock(&mu_);
    if (deadline <= reading_limit_) return;
    reading_limit_ = deadline;
  }
  responder_->LimitReading(deadline);
}

void BatchExchange::EndItem(size_t index, const absl::Status& status,
                            TextAnswer* answer) {
  if (answer == nullptr) Abandon(status, static_cast<int>(index));
  // First, so that its place and memory are there for the next.
  if (index > 0) CloseItem(index);
  bool is_last = false;
  bool must_start = false;
  {
    absl::MutexLock lock(&mu_);
    if (answer != nullptr) items_[index].answer = std::move(*answer);
    --num_running_;
    is_last = MustEndLocked();
    must_start = MustStartLocked();
  }
  if (is_last) return Conclude();
  if (must_start) RunStarter();
}

void BatchExchange::CloseItem(size_t index) {
  std::shared_ptr<Exchange> exchange;
  {
    absl::MutexLock lock(&mu_);
    exchange = std::move(items_[index].exchange);
  }
  exchange->OnClosed();
}

void BatchExchange::Abandon(const absl::Status& status,
                            std::optional<int> item) {
  std::vector<std::shared_ptr<Exchange>> running;
  {
    absl::MutexLock lock(&mu_);
    if (failure_.has_value()) return;
    failure_ = {status, item};
    for (size_t i = 0; i < items_.size(); ++i) {
      const bool is_running =
          items_[i].exchange != nullptr && static_cast<int>(i) != item;
      if (is_running) running.push_back(items_[i].exchange);
    }
  }
  for (const auto& exchange : running) exchange->OnClientGone();
}

void BatchExchange::Conclude() {
  std::optional<Failure> failure;
  std::vector<TextAnswer> answers;
  size_t num_items = 0;
  {
    absl::MutexLock lock(&mu_);
    failure = failure_;
    num_items = items_.size();
    answers.reserve(num_items);
    for (Item& item : items_) answers.push_back(std::move(item.answer));
  }
  if (num_items > 1) services_.unfinished_requests->Add(-1);
  if (failure.has_value()) {
    responder_->Fail(failure->status, failure->item);
  } else {
    responder_->Finish(std::move(answers));
  }
}

void BatchExchange::OnWritable() { First()->OnWritable(); }

void BatchExchange::OnClientGone() {
  Abandon(absl::CancelledError("the client has left"), std::nullopt);
}

// The other items have ended.
void BatchExchange::OnUnread() { First()->OnUnread(); }

void BatchExchange::OnClosed() {
  std::vector<Item> items;
  {
    absl::MutexLock lock(&mu_);
    items.swap(items_);
  }
  items.front().exchange->OnClosed();
}

}  // namespace sheaf
