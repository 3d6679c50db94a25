// SPDX-License-Identifier: Apache-2.0

#include "server/http/text_call.h"

#include <algorithm>
#include <atomic>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace sheaf {
namespace {

// Longer bodies are read on a reading thread, as other long texts are.
constexpr size_t kShortBodyBytes = 8 << 10;

}  // namespace

// The responder of one exchange. Hands everything to the call, on the
// connection's thread.
class TextCall::ItemResponder final : public Responder {
 public:
  ItemResponder(std::shared_ptr<TextCall> call, size_t index)
      : call_(std::move(call)), index_(index) {}

  // Called before the exchange starts.
  void TakeParts() { takes_parts_ = true; }

  bool TakesParts() const override { return takes_parts_; }
  bool IsReady() const override { return !is_sending_; }
  void LimitReading(MonotonicTime deadline) override {
    call_->context_.reply->LimitLife(deadline);
  }
  void Send(const AnswerPart& part) override {
    is_sending_ = true;
    call_->context_.reply->Post([call = call_, part] { call->OnPart(part); });
  }
  void Finish(const AnswerPart& rest, const AnswerSummary& summary) override {
    End(TextAnswer{rest, summary});
  }
  void Fail(const absl::Status& status) override { End(status); }

  void SetReady() { is_sending_ = false; }

 private:
  void End(absl::StatusOr<TextAnswer> answer) {
    call_->context_.reply->Post(
        [call = call_, index = index_, answer = std::move(answer)]() mutable {
          call->OnItemEnd(index, std::move(answer));
        });
  }

  const std::shared_ptr<TextCall> call_;
  const size_t index_;
  bool takes_parts_ = false;
  std::atomic<bool> is_sending_ = false;
};

TextCall::TextCall(HttpCallContext context, const Services& services,
                   std::shared_ptr<const TextMethod> method)
    : context_(std::move(context)),
      services_(services),
      method_(std::move(method)) {}

TextCall::~TextCall() = default;

const std::shared_ptr<Exchange>& TextCall::OpenExchange() {
  Begun begun;
  begun.responder = std::make_shared<ItemResponder>(
      std::static_pointer_cast<TextCall>(shared_from_this()), begun_.size());
  begun.exchange =
      std::make_shared<Exchange>(services_, context_.caller, begun.responder);
  begun_.push_back(std::move(begun));
  ++num_open_;
  return begun_.back().exchange;
}

bool TextCall::Begin() {
  if (method_->has_token_in_body) return true;
  if (!OpenExchange()->Authorize()) return false;
  context_.request.caller = begun_[0].exchange->caller();
  return true;
}

void TextCall::OnNoBody(const absl::Status& reason) { OnWork(reason); }

void TextCall::OnBody(std::string body) {
  context_.request.body = std::move(body);
  if (context_.request.body.size() <= kShortBodyBytes) {
    return OnWork(method_->read(std::move(context_.request)));
  }
  is_reading_ = true;
  FairExecutor::Text text;
  text.caller = context_.caller.address;
  text.bytes = context_.request.body.size();
  // A function must be copyable.
  const auto request =
      std::make_shared<HttpRequest>(std::move(context_.request));
  text.read = [self = std::static_pointer_cast<TextCall>(shared_from_this()),
               request] {
    const auto work = std::make_shared<absl::StatusOr<TextWork>>(
        self->method_->read(std::move(*request)));
    self->context_.reply->Post([self, work] {
      self->is_reading_ = false;
      self->OnWork(std::move(*work));
    });
  };
  // The bodies of all clients together are limited, so it need not be refused.
  services_.reading->Run(std::move(text));
}

void TextCall::OnWork(absl::StatusOr<TextWork> work) {
  if (work.ok() && !status_.ok()) work = status_;  // the client has left
  if (!work.ok()) {
    if (begun_.empty()) OpenExchange();
    return begun_[0].exchange->OnNoMessage(work.status());
  }
  work_ = *std::move(work);
  SHEAF_CHECK(!work_.items.empty());
  if (!work_.token.empty()) {
    context_.caller.authorization = absl::StrCat("Bearer ", work_.token);
  }
  answers_.resize(work_.items.size());
  Advance();
}

// Starts items that wait, or ends the call once nothing is left to do.
void TextCall::Advance() {
  while (status_.ok() && num_started_ < work_.items.size() &&
         num_open_ - (begun_.size() - num_started_) < kMaxRunning) {
    StartItem(num_started_++);
  }
  if (num_open_ == 0) End();
}

void TextCall::StartItem(size_t index) {
  TextWork::Item& item = work_.items[index];
  const bool is_open = index < begun_.size();  // since Begin()
  const std::shared_ptr<Exchange> exchange =
      is_open ? begun_[index].exchange : OpenExchange();
  if (work_.stream != nullptr) begun_[index].responder->TakeParts();
  if ((is_open || exchange->Authorize()) &&
      exchange->TakeMessage(item.num_bytes)) {
    exchange->Start(std::move(item.read));
  }
}

void TextCall::OnItemEnd(size_t index, absl::StatusOr<TextAnswer> answer) {
  begun_[index].has_ended = true;
  --num_open_;
  if (work_.stream != nullptr) return EndStream(answer);
  if (answer.ok()) {
    answers_[index] = *std::move(answer);
  } else if (status_.ok()) {
    CancelAll(answer.status());
  }
  // Of very many items, only the first stays open until the answer is sent.
  if (index > 0) std::exchange(begun_[index].exchange, nullptr)->OnClosed();
  Advance();
}

void TextCall::CancelAll(const absl::Status& reason) {
  if (status_.ok()) status_ = reason;
  for (const Begun& begun : begun_) {
    if (!begun.has_ended) begun.exchange->OnClientGone();
  }
}

void TextCall::End() {
  context_.reply->Answer(status_.ok() ? work_.answer(std::move(answers_))
                                      : method_->error(status_));
}

void TextCall::OnPart(const AnswerPart& part) {
  std::string bytes = work_.stream->part(part);
  if (bytes.empty()) return OnSent();
  SendPart(std::move(bytes));
}

void TextCall::SendPart(std::string part) {
  if (!std::exchange(has_begun_answer_, true)) {
    context_.reply->BeginParts(work_.stream->head);
  }
  context_.reply->SendPart(std::move(part));
}

void TextCall::EndStream(const absl::StatusOr<TextAnswer>& answer) {
  if (!answer.ok() && !has_begun_answer_) {
    return context_.reply->Answer(method_->error(answer.status()));
  }
  is_ending_stream_ = true;
  SendPart(answer.ok() ? work_.stream->last(answer->whole, answer->summary)
                       : work_.stream->broken(answer.status()));
}

void TextCall::OnSent() {
  if (is_ending_stream_) return context_.reply->EndParts();
  begun_[0].responder->SetReady();
  begun_[0].exchange->OnWritable();
}

void TextCall::OnClientGone() { CancelAll(absl::CancelledError("")); }

void TextCall::OnUnread() {
  for (const Begun& begun : begun_) {
    if (begun.exchange != nullptr) begun.exchange->OnUnread();
  }
}

void TextCall::OnClosed() {
  for (const Begun& begun : begun_) {
    if (begun.exchange != nullptr) begun.exchange->OnClosed();
  }
  begun_.clear();
}

}  // namespace sheaf
