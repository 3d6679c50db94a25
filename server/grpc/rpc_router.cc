// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/rpc_router.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "server/field_error.h"

namespace sheaf {
namespace {

// Ends with a status at once.
class RefusedCall final : public RpcCall {
 public:
  RefusedCall(const RpcHost& host, const RpcName& name,
              grpc::CallbackServerContext* rpc, absl::Status status)
      : RpcCall(host, name, rpc), status_(std::move(status)) {}

 private:
  void Begin() override { End(status_); }
  void OnMessage(std::string) override {}

  const absl::Status status_;
};

const char* KindOf(const google::protobuf::MethodDescriptor& method) {
  if (!method.server_streaming()) return "unary";
  return method.client_streaming() ? "bidi_stream" : "server_stream";
}

}  // namespace

void RpcRouter::Add(const google::protobuf::ServiceDescriptor& service,
                    const std::string& method, Token token, Open open) {
  const google::protobuf::MethodDescriptor* descriptor =
      service.FindMethodByName(method);
  SHEAF_CHECK(descriptor != nullptr);
  Method added = {{service.full_name(), method, KindOf(*descriptor)},
                  /*places=*/nullptr,
                  std::move(open)};
  if (token == Token::kNotRequired) {
    added.places = descriptor->server_streaming() ? &streams_ : &checks_;
  }
  host_.metrics->AddRpc(added.name);
  methods_.emplace(absl::StrCat("/", service.full_name(), "/", method),
                   std::move(added));
}

grpc::ServerGenericBidiReactor* RpcRouter::CreateReactor(
    grpc::GenericCallbackServerContext* rpc) {
  const auto refuse = [&](const RpcName& name, absl::Status status) {
    return RpcCall::Run(
        std::make_shared<RefusedCall>(host_, name, rpc, std::move(status)),
        std::nullopt);
  };
  const auto it = methods_.find(rpc->method());
  if (it == methods_.end()) {
    return refuse(unknown_, absl::UnimplementedError(absl::StrFormat(
                                "\"%s\" is not a method of this server",
                                Escaped(rpc->method()))));
  }
  const Method& method = it->second;
  std::optional<Place> place;
  if (method.places != nullptr) {
    place = method.places->Take();
    if (!place.has_value()) {
      return refuse(
          method.name,
          absl::ResourceExhaustedError(absl::StrFormat(
              "%d %s calls that need no token are open, the most that this "
              "server allows",
              method.places->num_places(), method.name.type)));
    }
  }
  return RpcCall::Run(method.open(method.name, rpc), std::move(place));
}

}  // namespace sheaf
