// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/rpc_router.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "server/field_error.h"
#include "server/grpc/wire.h"

namespace sheaf {
namespace {

const char* KindOf(const google::protobuf::MethodDescriptor& method) {
  if (!method.server_streaming()) return "unary";
  return method.client_streaming() ? "bidi_stream" : "server_stream";
}

}  // namespace

class RpcRouter::UnknownCall final : public RpcCall {
 public:
  using RpcCall::RpcCall;

 private:
  void Begin() override {}
  void OnMessage(std::string) override {}
};

void RpcRouter::Add(const google::protobuf::ServiceDescriptor& service,
                    const std::string& method, Token token, Open open) {
  const google::protobuf::MethodDescriptor* descriptor =
      service.FindMethodByName(method);
  SHEAF_CHECK(descriptor != nullptr);
  Method added = {
      {service.full_name(), method, KindOf(*descriptor)},
      token == Token::kNotRequired && descriptor->server_streaming(),
      std::move(open)};
  host_.metrics->AddRpc(added.name);
  methods_.emplace(absl::StrCat("/", service.full_name(), "/", method),
                   std::move(added));
}

grpc::ServerGenericBidiReactor* RpcRouter::CreateReactor(
    grpc::GenericCallbackServerContext* rpc) {
  const auto it = methods_.find(rpc->method());
  if (it == methods_.end()) {
    return RpcCall::Refuse(
        std::make_shared<UnknownCall>(host_, unknown_, rpc),
        absl::UnimplementedError(absl::StrFormat(
            "\"%s\" is not a method of this server", Escaped(rpc->method()))));
  }
  const Method& method = it->second;
  std::shared_ptr<RpcCall> call = method.open(method.name, rpc);
  if (method.is_open_stream) call->LimitStreams();
  return RpcCall::Run(std::move(call));
}

}  // namespace sheaf
