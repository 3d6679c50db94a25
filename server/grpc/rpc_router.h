// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/async_generic_service.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/container/node_hash_map.h"
#include "server/grpc/open_calls.h"
#include "server/grpc/rpc_call.h"

namespace sheaf {

// Receives every call of the server at its headers, and hands it to the method
// that it names. Calls of unknown methods end with UNIMPLEMENTED and are
// counted as one method.
//
// Anybody may call the methods that need no token; the number of their streams
// is limited.
//
// All methods are added before the server starts.
class RpcRouter final : public grpc::CallbackGenericService {
 public:
  // Makes the call of one method; `name` lives as long as the router.
  using Open = std::function<std::shared_ptr<RpcCall>(
      const RpcName& name, grpc::CallbackServerContext* rpc)>;
  enum class Token { kRequired, kNotRequired };

  // `host` is not owned.
  explicit RpcRouter(RpcHost& host) : host_(host) {}

  // Adds the method with this name of the service. The proto tells its kind.
  void Add(const google::protobuf::ServiceDescriptor& service,
           const std::string& method, Token token, Open open);

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* rpc) override;

 private:
  class UnknownCall;
  struct Method {
    RpcName name;
    bool is_open_stream;  // needs no token
    Open open;
  };

  RpcHost& host_;
  const RpcName unknown_ = {"unknown", "unknown", "unknown"};
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
