// SPDX-License-Identifier: Apache-2.0

#include "server/http/text_call.h"

#include "absl/strings/str_cat.h"

namespace sheaf {
namespace {

// Longer bodies are read on a reading thread, as other long texts are.
constexpr size_t kShortBodyBytes = 8 << 10;

}  // namespace

TextCall::TextCall(HttpCallContext context, const Services& services,
                   std::shared_ptr<const TextMethod> method)
    : context_(std::move(context)),
      services_(services),
      method_(std::move(method)) {}

std::shared_ptr<TextCall> TextCall::Self() {
  return std::static_pointer_cast<TextCall>(shared_from_this());
}

void TextCall::OpenBatch() {
  batch_ = BatchExchange::Open(services_, std::move(context_.caller), Self());
}

bool TextCall::Begin() {
  if (method_->has_token_in_body) return true;
  OpenBatch();
  if (!batch_->Authorize()) return false;
  context_.request.caller = batch_->caller();
  return true;
}

void TextCall::OnNoBody(const absl::Status& reason) {
  if (batch_ == nullptr) OpenBatch();
  batch_->OnNoMessage(reason);
}

void TextCall::OnBody(std::string body) {
  context_.request.body = std::move(body);
  if (batch_ == nullptr) return ReadToken();
  const auto num_bytes = static_cast<int64_t>(context_.request.body.size());
  if (!batch_->TakeMessage(num_bytes)) return;
  batch_->Start([self = Self()]() -> absl::StatusOr<std::vector<BatchItem>> {
    absl::StatusOr<TextWork> work =
        self->method_->read(std::move(self->context_.request));
    if (!work.ok()) return work.status();
    self->work_ = *std::move(work);
    return std::move(self->work_.items);
  });
}

// The body is read before the caller is known.
void TextCall::ReadToken() {
  if (context_.request.body.size() <= kShortBodyBytes) {
    return OnWork(method_->read(std::move(context_.request)));
  }
  FairExecutor::Text text;
  text.caller = context_.caller.address;
  text.bytes = context_.request.body.size();
  text.read = [self = Self()] {
    const auto work = std::make_shared<absl::StatusOr<TextWork>>(
        self->method_->read(std::move(self->context_.request)));
    self->context_.reply->Post(
        [self, work] { self->OnWork(std::move(*work)); });
  };
  // The bodies of all clients together are limited, so it need not be refused.
  services_.reading->Run(std::move(text));
}

void TextCall::OnWork(absl::StatusOr<TextWork> work) {
  if (is_client_gone_) work = absl::CancelledError("the client has left");
  if (work.ok() && !work->token.empty()) {
    context_.caller.authorization = absl::StrCat("Bearer ", work->token);
  }
  OpenBatch();
  if (!work.ok()) return batch_->OnNoMessage(work.status());
  work_ = *std::move(work);
  if (batch_->Authorize() &&
      batch_->TakeMessage(work_.items.front().num_bytes)) {
    batch_->Start([self = Self()] { return std::move(self->work_.items); });
  }
}

void TextCall::OnSent() {
  is_sending_ = false;
  batch_->OnWritable();
}

void TextCall::OnClientGone() {
  is_client_gone_ = true;
  if (batch_ != nullptr) batch_->OnClientGone();
}

void TextCall::OnUnread() {
  if (batch_ != nullptr) batch_->OnUnread();
}

void TextCall::OnClosed() {
  const std::shared_ptr<BatchExchange> batch = std::move(batch_);
  if (batch != nullptr) batch->OnClosed();
}

void TextCall::LimitReading(MonotonicTime deadline) {
  context_.reply->LimitLife(deadline);
}

void TextCall::Send(const AnswerPart& part) {
  is_sending_ = true;
  context_.reply->Post([self = Self(), part] { self->OnPart(part); });
}

void TextCall::Finish(std::vector<TextAnswer> answers) {
  context_.reply->Post([self = Self(), answers = std::move(answers)]() mutable {
    self->End(std::move(answers));
  });
}

void TextCall::Fail(const absl::Status& status, std::optional<int>) {
  context_.reply->Post([self = Self(), status] { self->End(status); });
}

void TextCall::OnPart(const AnswerPart& part) {
  const std::string bytes = work_.stream->part(part);
  if (bytes.empty()) return OnSent();
  BeginStream();
  context_.reply->SendPart(bytes);
}

void TextCall::BeginStream() {
  if (std::exchange(has_begun_answer_, true)) return;
  context_.reply->BeginParts(work_.stream->head);
}

void TextCall::End(absl::StatusOr<std::vector<TextAnswer>> answers) {
  if (!answers.ok() && !has_begun_answer_) {
    return context_.reply->Answer(method_->error(answers.status()));
  }
  if (work_.stream == nullptr) {
    return context_.reply->Answer(work_.answer(*std::move(answers)));
  }
  BeginStream();
  if (!answers.ok()) {
    return context_.reply->EndParts(work_.stream->broken(answers.status()));
  }
  const TextAnswer& answer = answers->front();
  context_.reply->EndParts(work_.stream->last(answer.whole, answer.summary));
}

void AddTextPath(const char* path, const Services& services, TextMethod method,
                 HttpRouter& router) {
  const auto shared = std::make_shared<const TextMethod>(std::move(method));
  router.Add({"POST", path, [&services, shared](HttpCallContext context) {
                return std::make_shared<TextCall>(std::move(context), services,
                                                  shared);
              }});
}

}  // namespace sheaf
