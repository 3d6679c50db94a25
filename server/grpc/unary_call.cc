// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/unary_call.h"

#include <memory>
#include <utility>

#include "server/grpc/wire.h"

namespace sheaf {

void UnaryCall::Begin() {
  if (limiter_ != nullptr) {
    absl::StatusOr<CallerLease> lease = limiter_->Acquire(caller());
    if (!lease.ok()) return End(lease.status());
    lease_.emplace(*std::move(lease));
  }
  ReadMessage(limiter_ == nullptr ? kMaxOpenMessageBytes
                                  : host().max_message_bytes);
}

void UnaryCall::OnMessage(std::string bytes) {
  lease_.reset();  // before the client knows the end; it may call again at once
  absl::StatusOr<grpc::ByteBuffer> answer = answer_(bytes);
  if (!answer.ok()) return End(answer.status());
  SendLast(*std::move(answer));
}

RpcRouter::Open OpenUnary(RpcHost& host, CallerLimiter* limiter,
                          UnaryCall::Answer answer) {
  return [&host, limiter, answer = std::move(answer)](
             const RpcName& name, grpc::CallbackServerContext* rpc) {
    return std::make_shared<UnaryCall>(host, name, rpc, limiter, answer);
  };
}

}  // namespace sheaf
