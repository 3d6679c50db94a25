// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "inference/grpc_service.pb.h"
#include "server/access/caller_limiter.h"
#include "server/exchange.h"
#include "server/grpc/rpc_call.h"

namespace sheaf {

// A call of ModelStreamInfer. Each of its requests is an Exchange, and is
// answered before the next one is read. A request that fails is answered with
// its error; errors of the caller, the server or the connection end the call.
//
// Life: exchange and call hold each other from OnMessage() until the last
// response to the request was sent, or until OnClosed().
class InferStream final : public RpcCall {
 public:
  InferStream(RpcHost& host, const RpcName& name,
              grpc::CallbackServerContext* rpc, const Services& services)
      : RpcCall(host, name, rpc), services_(services) {}

 private:
  class Answer;

  void Begin() override;
  void OnMessage(std::string bytes) override;
  void OnHalfClose() override;
  void OnSent(bool is_sent) override;
  void OnClientGone() override;
  void OnUnread() override;
  void OnClosed() override;

  // Takes the caller's place for the request that is awaited.
  absl::Status TakeCallersPlace();
  void SendResponse(const inference::ModelStreamInferResponse& response,
                    bool is_last);
  std::shared_ptr<Exchange> exchange();

  const Services& services_;
  std::string request_id_;            // of all requests; set by Begin()
  std::optional<CallerLease> lease_;  // while a request is awaited
  absl::Mutex exchange_mu_;
  // Null while no request is being answered.
  std::shared_ptr<Exchange> exchange_ ABSL_GUARDED_BY(exchange_mu_);
  // The last response to the request is on its way.
  bool is_last_ ABSL_GUARDED_BY(exchange_mu_) = false;
  // Whether there was a place for the next request when the last response left.
  absl::Status next_place_ ABSL_GUARDED_BY(exchange_mu_);
};

}  // namespace sheaf
