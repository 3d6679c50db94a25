// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "server/http/http_call.h"

namespace sheaf {

// Lets a call continue after its client has been answered.
//
// The call is made as always, with a DetachedReply in the place of the client's
// reply. Until Detach(), everything passes between both. From then on the
// client has its answer, its leaving does not matter, and the call's own answer
// goes to a function.
//
// Threads: as HttpReply and HttpCall say; Detach() may be called from any.
class DetachedReply final : public HttpReply {
 public:
  explicit DetachedReply(std::shared_ptr<HttpReply> client)
      : client_(std::move(client)) {}

  // Answers the client with `response`, unless it has left. `on_answer` gets
  // the answer of the call. Called once, before the call answers.
  void Detach(HttpResponse response,
              std::function<void(HttpResponse)> on_answer);

  bool is_detached() const { return is_detached_; }

  void Post(std::function<void()> task) override {
    client_->Post(std::move(task));
  }
  // The client's answer does not wait for the call.
  void LimitLife(MonotonicTime) override {}
  void Answer(HttpResponse response) override;
  void BeginParts(HttpResponse head) override;
  void SendPart(absl::string_view part) override;
  void EndParts(absl::string_view last_part) override;

 private:
  friend class DetachedCall;
  const std::shared_ptr<HttpReply> client_;
  std::weak_ptr<HttpCall> call_;                 // set before the call begins
  std::function<void(HttpResponse)> on_answer_;  // set before is_detached_
  std::atomic<bool> is_detached_ = false;
};

// The client's side of such a call: passes on what happens until it is
// detached.
class DetachedCall final : public HttpCall {
 public:
  // `call` replies to `reply`.
  DetachedCall(std::shared_ptr<HttpCall> call,
               std::shared_ptr<DetachedReply> reply);

  bool Begin() override { return call_->Begin(); }
  void OnBody(std::string body) override { call_->OnBody(std::move(body)); }
  void OnNoBody(const absl::Status& reason) override {
    call_->OnNoBody(reason);
  }
  void OnClientGone() override;
  void OnUnread() override;
  void OnClosed() override;

 private:
  const std::shared_ptr<HttpCall> call_;
  const std::shared_ptr<DetachedReply> reply_;
};

}  // namespace sheaf
