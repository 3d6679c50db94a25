// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "base/check.h"
#include "server/answer_part.h"
#include "server/caller.h"
#include "server/exchange.h"
#include "server/grpc/deadline_alarm.h"
#include "server/grpc/wire.h"
#include "server/messages.h"
#include "server/responder.h"

// gRPC's reactors, which are the responders of exchanges.
namespace sheaf {

// The common part of the reactors.
//
// Life: exchange and reactor hold each other from Open() to Close(), which
// gRPC's OnDone() calls. The handler may therefore return a plain pointer.
class RpcResponder : public Responder,
                     public std::enable_shared_from_this<RpcResponder> {
 public:
  // `rpc` is gRPC's; valid until OnDone().
  explicit RpcResponder(grpc::CallbackServerContext* rpc)
      : rpc_(rpc), alarm_(rpc) {}

  // Begins the exchange. The handler calls it once, first.
  std::shared_ptr<Exchange> Open(const Services& services, Caller caller);

  void LimitReading(MonotonicTime deadline) final { alarm_.Arm(deadline); }

 protected:
  Exchange& exchange() { return *exchange_; }

  // The status with which a call fails.
  grpc::Status Failure(const absl::Status& status);

  // The last statement of OnDone(); may destroy the reactor.
  void Close();

 private:
  grpc::CallbackServerContext* const rpc_;
  DeadlineAlarm alarm_;
  std::shared_ptr<Exchange> exchange_;  // null once closed
};

// Answers with one message.
template <typename Response>
class UnaryReactor final : public RpcResponder,
                           public grpc::ServerUnaryReactor {
 public:
  // `response` is gRPC's; valid until OnDone().
  UnaryReactor(grpc::CallbackServerContext* rpc, grpc::ByteBuffer* response)
      : RpcResponder(rpc), response_(response) {}

  bool TakesParts() const override { return false; }
  bool IsReady() const override { return true; }
  void Send(const AnswerPart&) override { SHEAF_CHECK(false); }
  void Finish(const AnswerPart& whole, const AnswerSummary& summary) override {
    Response response;
    SetAnswer(whole, summary, &response);
    *response_ = SerializeMessage(response);
    ServerUnaryReactor::Finish(grpc::Status::OK);
  }
  void Fail(const absl::Status& status) override {
    ServerUnaryReactor::Finish(Failure(status));
  }

  void OnCancel() override { exchange().OnClientGone(); }
  void OnDone() override { Close(); }

 private:
  grpc::ByteBuffer* const response_;
};

// Answers with a stream of messages. One write is in flight at a time.
template <typename Chunk>
class StreamReactor final : public RpcResponder,
                            public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  using RpcResponder::RpcResponder;

  bool TakesParts() const override { return true; }
  bool IsReady() const override {
    absl::MutexLock lock(&mu_);
    return !is_writing_;
  }
  void Send(const AnswerPart& part) override {
    Chunk chunk;
    SetChunk(part, /*summary=*/nullptr, &chunk);
    if (IsEmpty(chunk)) return;
    bytes_ = SerializeMessage(chunk);
    {
      absl::MutexLock lock(&mu_);
      is_writing_ = true;
    }
    StartWrite(&bytes_);
  }
  void Finish(const AnswerPart& rest, const AnswerSummary& summary) override {
    Chunk chunk;
    SetChunk(rest, &summary, &chunk);
    bytes_ = SerializeMessage(chunk);
    StartWriteAndFinish(&bytes_, grpc::WriteOptions(), grpc::Status::OK);
  }
  void Fail(const absl::Status& status) override {
    ServerWriteReactor::Finish(Failure(status));
  }

  void OnWriteDone(bool ok) override {
    {
      absl::MutexLock lock(&mu_);
      is_writing_ = false;
    }
    if (!ok) exchange().OnClientGone();
    exchange().OnWritable();
  }
  void OnCancel() override { exchange().OnClientGone(); }
  void OnDone() override { Close(); }

 private:
  grpc::ByteBuffer bytes_;  // of the write in flight
  mutable absl::Mutex mu_;
  bool is_writing_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace sheaf
