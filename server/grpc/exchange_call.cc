// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/exchange_call.h"

#include <utility>

namespace sheaf {

void ExchangeCall::Begin() {
  // The exchange holds the call as its responder.
  std::shared_ptr<Responder> responder(shared_from_this(), this);
  exchange_ =
      std::make_shared<Exchange>(services_, caller(), std::move(responder));
  AddRequestId(exchange_->request_id(), &rpc());
  if (exchange_->Authorize()) ReadMessage(host().max_message_bytes);
}

void ExchangeCall::OnMessage(std::string bytes) {
  if (!exchange_->TakeMessage(static_cast<int64_t>(bytes.size()))) return;
  exchange_->Start(ReadOf(std::move(bytes)));
}

void ExchangeCall::OnNoMessage(const absl::Status& reason) {
  // Not always gRPC's thread, so that the exchange could be closed meanwhile.
  const std::shared_ptr<Exchange> held = exchange_;
  held->OnNoMessage(reason);
}

void ExchangeCall::OnSent(bool is_sent) {
  if (!is_sent) exchange_->OnClientGone();
  exchange_->OnWritable();
}

void ExchangeCall::OnClosed() {
  const std::shared_ptr<Exchange> exchange = std::move(exchange_);
  exchange->OnClosed();
}

}  // namespace sheaf
