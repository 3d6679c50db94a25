// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/access/caller_limiter.h"
#include "server/grpc/rpc_call.h"
#include "server/grpc/rpc_router.h"

namespace sheaf {

// Answers one message with one message at once.
class UnaryCall final : public RpcCall {
 public:
  // The bytes of the answer to these bytes.
  using Answer =
      std::function<absl::StatusOr<grpc::ByteBuffer>(const std::string&)>;

  // `limiter` is not owned; null: anybody may call. `answer` outlives the call.
  UnaryCall(RpcHost& host, const RpcName& name,
            grpc::CallbackServerContext* rpc, CallerLimiter* limiter,
            const Answer& answer)
      : RpcCall(host, name, rpc), limiter_(limiter), answer_(answer) {}

 private:
  void Begin() override;
  void OnMessage(std::string bytes) override;

  CallerLimiter* const limiter_;
  const Answer& answer_;
  std::optional<CallerLease> lease_;  // from Begin() to OnMessage()
};

// Makes the calls of a method that is answered in this way.
RpcRouter::Open OpenUnary(RpcHost& host, CallerLimiter* limiter,
                          UnaryCall::Answer answer);

}  // namespace sheaf
