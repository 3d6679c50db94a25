// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/rpc_call.h"

#include <grpc/grpc.h>

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/grpc/wire.h"

namespace sheaf {

RpcCall::RpcCall(RpcHost& host, const RpcName& name,
                 grpc::CallbackServerContext* rpc)
    : host_(host),
      name_(name),
      caller_(CallerOf(*rpc, absl::StrCat(name.service, "/", name.method),
                       *host.proxies)),
      begin_(MonotonicTime::Now()),
      rpc_(rpc) {
  host_.metrics->CountRpcStarted(name_);
}

void RpcCall::LimitStreams() {
  stream_place_.emplace(
      TakePlace(host_.open_streams, [](RpcCall& call, int32_t max_calls) {
        call.End(absl::ResourceExhaustedError(absl::StrFormat(
            "%d other streams without a token are open, the most that this "
            "server allows",
            max_calls)));
      }));
}

CallPlace RpcCall::TakePlace(OpenCalls& calls,
                             void (*give_up)(RpcCall&, int32_t max_calls)) {
  return calls.Take(caller_, [weak_call = weak_from_this(), give_up,
                              max_calls = calls.max_calls()] {
    if (const auto call = weak_call.lock()) give_up(*call, max_calls);
  });
}

grpc::ServerGenericBidiReactor* RpcCall::Run(std::shared_ptr<RpcCall> call) {
  RpcCall* const reactor = call.get();
  reactor->self_ = std::move(call);
  reactor->Begin();
  return reactor;
}

grpc::ServerGenericBidiReactor* RpcCall::Refuse(std::shared_ptr<RpcCall> call,
                                                const absl::Status& status) {
  RpcCall* const reactor = call.get();
  reactor->self_ = std::move(call);
  reactor->End(status);
  return reactor;
}

void RpcCall::ReadMessage(int64_t max_bytes) {
  ReadIn(max_bytes <= kMaxOpenMessageBytes ? host_.open_slots : host_.slots,
         max_bytes);
}

void RpcCall::ReadNextMessage(int64_t max_bytes) {
  ReadIn(host_.stream_slots, max_bytes);
}

void RpcCall::ReadIn(MessageSlots& slots, int64_t max_bytes) {
  CallPlace place =
      TakePlace(host_.waiting, [](RpcCall& call, int32_t max_calls) {
        call.StopWaiting(absl::ResourceExhaustedError(absl::StrFormat(
            "%d other calls wait for their messages, the most that this server "
            "allows (--transport_bytes)",
            max_calls)));
      });
  const uint64_t slot = slots.NewNumber();
  const MonotonicTime now = MonotonicTime::Now();
  {
    absl::MutexLock lock(&mu_);
    if (has_ended_) return;
    waiting_place_.emplace(std::move(place));
    slot_ = slot;
    is_receiving_ = false;
    max_bytes_ = max_bytes;
    slots_ = &slots;
    message_limit_ = now + host_.message_timeout;
    SetTimer();
  }
  const std::weak_ptr<RpcCall> weak_call = weak_from_this();
  slots.Enter(
      slot, caller_, now,
      [weak_call] {
        if (const auto call = weak_call.lock()) call->BeginToReceive();
      },
      [weak_call] {
        if (const auto call = weak_call.lock()) call->GiveSlotUp();
      });
  absl::MutexLock lock(&mu_);
  if (!message_limit_.has_value() || is_receiving_) return;
  slot_limit_ = now + MessageSlots::kMinHold;
  SetTimer();
}

void RpcCall::BeginToReceive() {
  absl::MutexLock lock(&mu_);
  slot_limit_.reset();
  if (!message_limit_.has_value() || std::exchange(is_receiving_, true)) return;
  StartRead(&received_);
}

void RpcCall::GiveSlotUp() {
  int32_t num_slots = 0;
  {
    absl::MutexLock lock(&mu_);
    num_slots = slots_->num_slots();
  }
  StopWaiting(absl::ResourceExhaustedError(
      absl::StrFormat("other calls wait to send their messages; this server "
                      "receives %d at a time",
                      num_slots)));
}

void RpcCall::StopWaiting(const absl::Status& reason) {
  {
    absl::MutexLock lock(&mu_);
    if (!message_limit_.has_value()) return;
    message_limit_.reset();
    slot_limit_.reset();
  }
  OnNoMessage(reason);
}

void RpcCall::LeaveQueues() {
  waiting_place_.reset();
  if (slot_.has_value()) slots_->Leave(*slot_, MonotonicTime::Now());
  slot_.reset();
}

void RpcCall::OnCancel() {
  // gRPC tells it to a read, but a call that has no slot yet does not read.
  StopWaiting(absl::CancelledError(""));
  OnClientGone();
}

void RpcCall::OnReadDone(bool is_message) {
  LeaveQueues();
  bool is_cancelled = false;
  {
    absl::MutexLock lock(&mu_);
    if (!message_limit_.has_value()) return;  // it is too late
    message_limit_.reset();
    is_cancelled = rpc_->IsCancelled();
  }
  if (!is_message) {
    return is_cancelled ? OnNoMessage(absl::CancelledError("")) : OnHalfClose();
  }
  absl::StatusOr<std::string> bytes = TakeMessage(&received_, max_bytes_);
  if (!bytes.ok()) return OnNoMessage(bytes.status());
  OnMessage(*std::move(bytes));
}

void RpcCall::OnHalfClose() {
  OnNoMessage(absl::InvalidArgumentError(
      "the call has no message; this method receives one"));
}

void RpcCall::Send(const grpc::ByteBuffer& message) {
  absl::MutexLock lock(&mu_);
  if (has_ended_) return;
  is_sending_ = true;
  sent_ = message;
  answer_limit_ = MonotonicTime::Now() + host_.answer_timeout;
  SetTimer();
  StartWrite(&sent_);
}

bool RpcCall::IsSending() const {
  absl::MutexLock lock(&mu_);
  return is_sending_;
}

void RpcCall::OnWriteDone(bool is_sent) {
  {
    absl::MutexLock lock(&mu_);
    is_sending_ = false;
    // An end that is on its way keeps its limit.
    if (!has_ended_) answer_limit_.reset();
  }
  OnSent(is_sent);
}

void RpcCall::SendLast(const grpc::ByteBuffer& message) {
  absl::MutexLock lock(&mu_);
  if (std::exchange(has_ended_, true)) return;
  sent_ = message;
  PrepareEnd(grpc::StatusCode::OK);
  StartWriteAndFinish(&sent_, grpc::WriteOptions(), grpc::Status::OK);
}

void RpcCall::End(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  if (std::exchange(has_ended_, true)) return;
  AddPushback(status, rpc_);
  const grpc::Status end = ToGrpcStatus(status);
  PrepareEnd(end.error_code());
  Finish(end);
}

void RpcCall::PrepareEnd(grpc::StatusCode code) {
  // From now on nothing may be read: gRPC frees the call once it has ended.
  message_limit_.reset();
  slot_limit_.reset();
  // Before the client knows the end, because it may look at the metrics then.
  const MonotonicTime now = MonotonicTime::Now();
  host_.metrics->CountRpcHandled(name_, code,
                                 absl::ToDoubleSeconds(now - begin_));
  answer_limit_ = now + host_.answer_timeout;
  SetTimer();
}

void RpcCall::OnDone() {
  {
    absl::MutexLock lock(&mu_);
    rpc_ = nullptr;
    if (timer_.has_value()) host_.timers->Cancel(*timer_);
    timer_.reset();
  }
  const std::shared_ptr<RpcCall> last_hold = std::move(self_);
  OnClosed();
  stream_place_.reset();
  LeaveQueues();
}

void RpcCall::LimitLife(MonotonicTime time) {
  absl::MutexLock lock(&mu_);
  life_limit_ = time;
  SetTimer();
}

void RpcCall::SetTimer() {
  MonotonicTime first = MonotonicTime::InfiniteFuture();
  for (const auto& limit :
       {message_limit_, slot_limit_, answer_limit_, life_limit_}) {
    if (limit.has_value()) first = std::min(first, *limit);
  }
  // A timer that rings too early is set again when it rings. So a stream needs
  // none for each of its messages.
  if (timer_.has_value() && timer_->time <= first) return;
  if (timer_.has_value()) host_.timers->Cancel(*timer_);
  timer_.reset();
  if (first == MonotonicTime::InfiniteFuture()) return;
  timer_ = host_.timers->Set(first, weak_from_this());
}

absl::Status RpcCall::LateMessage(MonotonicTime now) const {
  if (!message_limit_.has_value()) return absl::OkStatus();
  if (now >= *message_limit_) {
    return absl::DeadlineExceededError(
        absl::StrFormat("the call's message has not arrived whole within %s "
                        "(--message_timeout)",
                        absl::FormatDuration(host_.message_timeout)));
  }
  if (host_.is_draining)
    return absl::UnavailableError("the server is draining");
  return absl::OkStatus();
}

void RpcCall::OnTimer() {
  absl::Status late_message;
  MessageSlots* awaited_slots = nullptr;
  bool is_unread = false, is_to_cancel = false;
  {
    absl::MutexLock lock(&mu_);
    timer_.reset();
    if (rpc_ == nullptr) return;
    const MonotonicTime now = MonotonicTime::Now();
    late_message = LateMessage(now);
    if (!late_message.ok()) message_limit_.reset();
    if (slot_limit_.has_value() && late_message.ok()) {
      awaited_slots = slots_;
      slot_limit_ = now + MessageSlots::kMinHold;
    } else {
      slot_limit_.reset();
    }
    const bool is_too_old = life_limit_.has_value() && now >= *life_limit_;
    is_unread =
        answer_limit_.has_value() && (is_too_old || now >= *answer_limit_);
    is_to_cancel = is_unread || is_too_old;
    if (is_to_cancel) {
      answer_limit_.reset();
      life_limit_.reset();
    }
    SetTimer();
  }
  if (!late_message.ok()) OnNoMessage(late_message);
  if (awaited_slots != nullptr) awaited_slots->Balance(MonotonicTime::Now());
  if (is_unread) OnUnread();
  if (is_to_cancel) Cancel();
}

// TryCancel() would not tell the client why.
void RpcCall::Cancel() {
  const std::string reason = absl::StrFormat(
      "the client has not read the answer within %s (--answer_timeout) or by "
      "the deadline",
      absl::FormatDuration(host_.answer_timeout));
  absl::MutexLock lock(&mu_);
  if (rpc_ == nullptr) return;
  grpc_call_cancel_with_status(rpc_->c_call(), GRPC_STATUS_CANCELLED,
                               reason.c_str(), /*reserved=*/nullptr);
}

}  // namespace sheaf
