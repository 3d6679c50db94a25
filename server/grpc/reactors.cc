// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/reactors.h"

#include <utility>

namespace sheaf {

std::shared_ptr<Exchange> RpcResponder::Open(const Services& services,
                                             Caller caller) {
  exchange_ = std::make_shared<Exchange>(services, std::move(caller),
                                         shared_from_this());
  AddRequestId(exchange_->request_id(), rpc_);
  return exchange_;
}

grpc::Status RpcResponder::Failure(const absl::Status& status) {
  AddPushback(status, rpc_);
  return ToGrpcStatus(status);
}

void RpcResponder::Close() {
  alarm_.Disarm();
  const std::shared_ptr<Exchange> exchange = std::move(exchange_);
  exchange->OnClosed();
}

}  // namespace sheaf
