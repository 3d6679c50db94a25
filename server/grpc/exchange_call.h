// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/check.h"
#include "server/exchange.h"
#include "server/grpc/rpc_call.h"
#include "server/grpc/wire.h"
#include "server/messages.h"
#include "server/parse_message.h"
#include "server/responder.h"

// The calls that are exchanges: each is the responder of one.
namespace sheaf {

// The common part of these calls.
//
// Life: exchange and call hold each other from Begin() to OnClosed().
class ExchangeCall : public RpcCall, public Responder {
 public:
  ExchangeCall(RpcHost& host, const RpcName& name,
               grpc::CallbackServerContext* rpc, const Services& services)
      : RpcCall(host, name, rpc), services_(services) {}

  void LimitReading(MonotonicTime deadline) final { LimitLife(deadline); }
  void Fail(const absl::Status& status) final { End(status); }

 private:
  // How to read this message.
  virtual Exchange::Read ReadOf(std::string bytes) const = 0;

  void Begin() final;
  void OnMessage(std::string bytes) final;
  void OnNoMessage(const absl::Status& reason) final;
  void OnSent(bool is_sent) final;
  void OnClientGone() final { exchange_->OnClientGone(); }
  void OnUnread() final { exchange_->OnUnread(); }
  void OnClosed() final;

 protected:
  const Services& services_;

 private:
  std::shared_ptr<Exchange> exchange_;  // null once closed
};

// Parses a Request and reads it.
template <typename Request>
class RequestCall : public ExchangeCall {
 public:
  using ExchangeCall::ExchangeCall;

 private:
  Exchange::Read ReadOf(std::string bytes) const final {
    return [reader = services_.request_reader,
            bytes = std::move(bytes)](RequestReader::IsWanted is_wanted) mutable
           -> absl::StatusOr<PreparedRequest> {
      Request message;
      if (absl::Status status = ParseMessage(bytes, &message); !status.ok()) {
        return status;
      }
      std::string().swap(bytes);  // the message has them now
      return reader->Read(message, is_wanted);
    };
  }
};

// Answers with one message.
template <typename Request, typename Response>
class WholeAnswerCall final : public RequestCall<Request> {
 public:
  using RequestCall<Request>::RequestCall;

  bool TakesParts() const override { return false; }
  bool IsReady() const override { return true; }
  void Send(const AnswerPart&) override { SHEAF_CHECK(false); }
  void Finish(const AnswerPart& whole, const AnswerSummary& summary) override {
    Response response;
    SetAnswer(whole, summary, &response);
    this->SendLast(SerializeMessage(response));
  }
};

// Answers with a stream of messages. One is on its way at a time.
template <typename Request, typename Chunk>
class StreamedAnswerCall final : public RequestCall<Request> {
 public:
  using RequestCall<Request>::RequestCall;

  bool TakesParts() const override { return true; }
  bool IsReady() const override { return !this->IsSending(); }
  void Send(const AnswerPart& part) override {
    Chunk chunk;
    SetChunk(part, /*summary=*/nullptr, &chunk);
    if (!IsEmpty(chunk)) RpcCall::Send(SerializeMessage(chunk));
  }
  void Finish(const AnswerPart& rest, const AnswerSummary& summary) override {
    Chunk chunk;
    SetChunk(rest, &summary, &chunk);
    this->SendLast(SerializeMessage(chunk));
  }
};

}  // namespace sheaf
