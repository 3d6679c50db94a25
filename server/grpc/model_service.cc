#include "server/grpc/model_service.h"

#include "base/version.h"
#include "server/field_error.h"
#include "server/grpc/wire.h"
#include "server/ops/request_record.h"

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
                           CallerLimiter* limiter)
    : limiter_(limiter) {
  model_.set_name(model.name);
  model_.set_architecture(model.architecture);
  model_.set_num_parameters(model.num_parameters);
  model_.set_num_query_heads(model.num_query_heads);
  model_.set_num_kv_heads(model.num_kv_heads);
  model_.set_num_cross_kv_heads(model.num_cross_kv_heads);
  model_.set_weight_type(model.weight_type);
  model_.set_kv_type(model.kv_type);
  model_.set_weight_bytes(model.weight_bytes);
  model_.set_kv_bytes_per_token(model.kv_bytes_per_token);
  model_.set_cross_kv_bytes_per_token(model.cross_kv_bytes_per_token);
  model_.set_kv_capacity_bytes(kv_capacity_bytes);
  model_.set_max_source_tokens(model.max_source_tokens);
  for (const Task& task : model.tasks.tasks) model_.add_tasks(task.name);
  for (const std::string& warning : model.warnings) {
    model_.add_warnings(warning);
  }
}

absl::Status ModelService::Open(const grpc::CallbackServerContext& rpc,
                                const grpc::ByteBuffer& bytes,
                                google::protobuf::MessageLite* request) {
  const absl::StatusOr<CallerLease> lease =
      limiter_->Acquire(PeerOf(rpc), MetadataOf(rpc, "authorization"));
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
