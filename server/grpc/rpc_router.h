// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/async_generic_service.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/container/node_hash_map.h"
#include "server/grpc/places.h"
#include "server/grpc/rpc_call.h"

namespace sheaf {

// Receives every call of the server at its headers, and hands it to the method
// that it names. Calls of unknown methods end with UNIMPLEMENTED and are
// counted as one method.
//
// Anybody may call the methods that need no token. The numbers of these calls
// are limited, those of streams and of the others apart, so that streams that
// stay open do not keep the checks of a load balancer out.
//
// All methods are added before the server starts.
class RpcRouter final : public grpc::CallbackGenericService {
 public:
  // Makes the call of one method; `name` lives as long as the router.
  using Open = std::function<std::shared_ptr<RpcCall>(
      const RpcName& name, grpc::CallbackServerContext* rpc)>;
  enum class Token { kRequired, kNotRequired };

  // Calls without a token that may be open at the same time.
  static constexpr int32_t kMaxOpenCalls = 1024;

  // `host` is not owned.
  explicit RpcRouter(const RpcHost& host) : host_(host) {}

  // Adds the method with this name of the service. The proto tells its kind.
  void Add(const google::protobuf::ServiceDescriptor& service,
           const std::string& method, Token token, Open open);

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* rpc) override;

 private:
  struct Method {
    RpcName name;
    Places* places;  // null: not limited
    Open open;
  };

  const RpcHost& host_;
  const RpcName unknown_ = {"unknown", "unknown", "unknown"};
  Places streams_{kMaxOpenCalls};  // without a token
  Places checks_{kMaxOpenCalls};   // likewise, with one answer
  // By path, such as "/sheaf.v1.TextService/Translate". The names in it do not
  // move.
  absl::node_hash_map<std::string, Method> methods_;
};

// The service that the proto file of a message defines.
template <typename Message>
const google::protobuf::ServiceDescriptor& ServiceOf() {
  return *Message::descriptor()->file()->service(0);
}

}  // namespace sheaf
