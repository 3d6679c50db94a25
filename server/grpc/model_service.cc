// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/model_service.h"

#include "base/version.h"
#include "server/field_error.h"
#include "server/grpc/wire.h"
#include "server/messages.h"
#include "server/parse_message.h"

namespace sheaf {
namespace {

grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* rpc,
                                   const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = rpc->DefaultReactor();
  AddPushback(status, rpc);
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

}  // namespace

ModelService::ModelService(const ServedModel& model, int64_t kv_capacity_bytes,
                           CallerLimiter* limiter,
                           const TrustedProxies* proxies)
    : model_(DescriptionOf(model, kv_capacity_bytes)),
      limiter_(limiter),
      proxies_(proxies) {}

absl::Status ModelService::Open(const grpc::CallbackServerContext& rpc,
                                const grpc::ByteBuffer& bytes,
                                google::protobuf::MessageLite* request) {
  const absl::StatusOr<CallerLease> lease =
      limiter_->Acquire(CallerOf(rpc, /*method=*/"", *proxies_));
  if (!lease.ok()) return lease.status();
  return ParseMessage(TakeBytes(bytes), request);
}

grpc::ServerUnaryReactor* ModelService::ListModels(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  v1::ListModelsRequest list;
  if (absl::Status status = Open(*rpc, *request, &list); !status.ok()) {
    return Finished(rpc, status);
  }
  v1::ListModelsResponse models;
  *models.add_models() = model_;
  models.set_server_version(Version());
  *response = SerializeMessage(models);
  return Finished(rpc, absl::OkStatus());
}

grpc::ServerUnaryReactor* ModelService::GetModel(
    grpc::CallbackServerContext* rpc, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  v1::GetModelRequest get;
  if (absl::Status status = Open(*rpc, *request, &get); !status.ok()) {
    return Finished(rpc, status);
  }
  if (!get.name().empty() && get.name() != model_.name()) {
    return Finished(rpc, FieldError(absl::StatusCode::kNotFound, "name",
                                    "is \"%s\"; this server serves \"%s\"",
                                    Escaped(get.name()), model_.name()));
  }
  *response = SerializeMessage(model_);
  return Finished(rpc, absl::OkStatus());
}

}  // namespace sheaf
