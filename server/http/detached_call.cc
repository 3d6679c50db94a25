// SPDX-License-Identifier: Apache-2.0

#include "server/http/detached_call.h"

#include <utility>

#include "base/check.h"

namespace sheaf {

void DetachedReply::Detach(HttpResponse response,
                           std::function<void(HttpResponse)> on_answer) {
  on_answer_ = std::move(on_answer);
  is_detached_ = true;
  // A function must be copyable.
  const auto shared = std::make_shared<HttpResponse>(std::move(response));
  Post([client = client_, shared] { client->Answer(std::move(*shared)); });
}

void DetachedReply::Answer(HttpResponse response) {
  if (!is_detached()) return client_->Answer(std::move(response));
  on_answer_(std::move(response));
  if (const std::shared_ptr<HttpCall> call = call_.lock(); call != nullptr) {
    call->OnClosed();
  }
}

void DetachedReply::BeginParts(HttpResponse head) {
  SHEAF_CHECK(!is_detached());
  client_->BeginParts(std::move(head));
}

void DetachedReply::SendPart(absl::string_view part) {
  client_->SendPart(part);
}

void DetachedReply::EndParts(absl::string_view last_part) {
  client_->EndParts(last_part);
}

DetachedCall::DetachedCall(std::shared_ptr<HttpCall> call,
                           std::shared_ptr<DetachedReply> reply)
    : call_(std::move(call)), reply_(std::move(reply)) {
  reply_->call_ = call_;
}

void DetachedCall::OnClientGone() {
  if (!reply_->is_detached()) call_->OnClientGone();
}

void DetachedCall::OnUnread() {
  if (!reply_->is_detached()) call_->OnUnread();
}

void DetachedCall::OnClosed() {
  if (!reply_->is_detached()) call_->OnClosed();
}

}  // namespace sheaf
