// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/model_service.h"

#include <string>

#include "base/version.h"
#include "server/field_error.h"
#include "server/grpc/unary_call.h"
#include "server/grpc/wire.h"
#include "server/messages.h"
#include "server/parse_message.h"
#include "sheaf/v1/model.pb.h"

namespace sheaf {
namespace {

absl::StatusOr<grpc::ByteBuffer> ListModels(const v1::Model& model,
                                            const std::string& bytes) {
  v1::ListModelsRequest request;
  if (absl::Status status = ParseMessage(bytes, &request); !status.ok()) {
    return status;
  }
  v1::ListModelsResponse models;
  *models.add_models() = model;
  models.set_server_version(Version());
  return SerializeMessage(models);
}

absl::StatusOr<grpc::ByteBuffer> GetModel(const v1::Model& model,
                                          const std::string& bytes) {
  v1::GetModelRequest request;
  if (absl::Status status = ParseMessage(bytes, &request); !status.ok()) {
    return status;
  }
  if (!request.name().empty() && request.name() != model.name()) {
    return FieldError(absl::StatusCode::kNotFound, "name",
                      "is \"%s\"; this server serves \"%s\"",
                      Escaped(request.name()), model.name());
  }
  return SerializeMessage(model);
}

}  // namespace

void AddModelService(RpcHost& host, const ServedModel& model,
                     int64_t kv_capacity_bytes, CallerLimiter* limiter,
                     RpcRouter& router) {
  const auto& service = ServiceOf<v1::GetModelRequest>();
  const v1::Model description = DescriptionOf(model, kv_capacity_bytes);
  const auto add = [&](const char* method, auto answer) {
    router.Add(service, method, RpcRouter::Token::kRequired,
               OpenUnary(host, limiter,
                         [description, answer](const std::string& bytes) {
                           return answer(description, bytes);
                         }));
  };
  add("ListModels", &ListModels);
  add("GetModel", &GetModel);
}

}  // namespace sheaf
