#include "server/server.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "engine/check.h"
#include "server/call.h"
#include "server/delivery.h"
#include "server/door_thread.h"
#include "server/metrics.h"
#include "server/model_service.h"
#include "server/rpc_metrics.h"
#include "server/text_service.h"
#include "server/wire.h"

namespace sheaf {
namespace {

// A text somewhat over the limit still reaches the door, which tells the client
// the limit; what is far over it is refused by gRPC unread.
constexpr int64_t kMessageSlackBytes = 4 << 20;
constexpr int kMaxMetadataBytes = 16 << 10;
constexpr int kKeepaliveTimeMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 20'000;
constexpr int kMinClientPingIntervalMs = 10'000;
// For what has no end of its own, as a watch of the health.
constexpr std::chrono::milliseconds kShutdownGrace(200);

int MaxMessageBytes(int64_t max_text_bytes) {
  return static_cast<int>(
      std::min<int64_t>(2 * max_text_bytes + kMessageSlackBytes,
                        std::numeric_limits<int>::max()));
}

// The RPCs whose metrics are there before the first call.
void AddRpcs(Metrics& metrics) {
  for (const char* name : {v1::TextService::service_full_name(),
                           v1::ModelService::service_full_name()}) {
    const google::protobuf::ServiceDescriptor* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
            name);
    SHEAF_CHECK(service != nullptr);
    for (int i = 0; i < service->method_count(); ++i) {
      const google::protobuf::MethodDescriptor& method = *service->method(i);
      metrics.AddRpc({name, method.name(),
                      method.server_streaming() ? "server_stream" : "unary"});
    }
  }
  metrics.AddRpc({"grpc.health.v1.Health", "Check", "unary"});
  metrics.AddRpc({"grpc.health.v1.Health", "Watch", "server_stream"});
}

EngineOptions MakeEngineOptions(const ServerOptions& options,
                                Metrics& metrics) {
  EngineOptions out;
  out.max_sequences = options.max_sequences;
  out.max_queue = options.max_queue;
  out.max_encode_tokens = options.max_encode_tokens;
  out.on_step = [&metrics](const StepStats& stats) { metrics.OnStep(stats); };
  return out;
}

}  // namespace

// In the order of what uses what: gRPC's threads call the services, the engine
// calls the delivery and the metrics.
class Server::Parts {
 public:
  Parts(const ServerOptions& options, const ServedModel& model,
        const EngineParts& engine_parts)
      : metrics(model.name, KvCapacity(engine_parts.kv_shape)),
        door(model, options.limits),
        engine(MakeEngineOptions(options, metrics), engine_parts.kv_shape,
               *engine_parts.runner, *engine_parts.team, *engine_parts.kernels),
        door_thread(options.max_queue),
        text_service(
            {&engine, &delivery, &metrics, &live_calls, &door, &door_thread},
            options.default_deadline),
        model_service(model, KvCapacity(engine_parts.kv_shape)) {}

  static int64_t KvCapacity(const KvPoolShape& shape) {
    return int64_t{shape.num_blocks} * shape.block_bytes;
  }

  Metrics metrics;
  Door door;
  LiveCalls live_calls;
  Delivery delivery;
  Engine engine;
  DoorThread door_thread;
  TextService text_service;
  ModelService model_service;
  std::unique_ptr<grpc::Server> rpc_server;  // null once drained
};

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerOptions& options, const ServedModel& model,
    const EngineParts& engine_parts) {
  TakeProtobufLog();
  auto parts = std::make_unique<Parts>(options, model, engine_parts);
  AddRpcs(parts->metrics);
  absl::StatusOr<int32_t> metrics_port =
      parts->metrics.Serve(options.metrics_listen);
  if (!metrics_port.ok()) return metrics_port.status();

  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.listen.ToString(),
                           grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&parts->text_service);
  builder.RegisterService(&parts->model_service);
  const int max_message_bytes = MaxMessageBytes(options.limits.max_text_bytes);
  builder.SetMaxReceiveMessageSize(max_message_bytes);
  builder.SetDefaultCompressionAlgorithm(GRPC_COMPRESS_NONE);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             kKeepaliveTimeoutMs);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      kMinClientPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  std::vector<
      std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
      interceptors;
  interceptors.push_back(MakeRpcMetrics(&parts->metrics));
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  parts->rpc_server = builder.BuildAndStart();
  if (parts->rpc_server == nullptr || port == 0) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "cannot listen on %s; is the port taken?", options.listen.ToString()));
  }
  auto* health = parts->rpc_server->GetHealthCheckService();
  health->SetServingStatus(v1::TextService::service_full_name(), true);
  health->SetServingStatus(v1::ModelService::service_full_name(), true);

  std::unique_ptr<Server> server(new Server(std::move(parts)));
  server->listen_ = {options.listen.host, port};
  server->metrics_listen_ = {options.metrics_listen.host, *metrics_port};
  return server;
}

void Server::Drain(absl::Duration timeout) {
  if (parts_->rpc_server == nullptr) return;
  const absl::Time deadline = absl::Now() + timeout;
  parts_->engine.Drain();
  parts_->rpc_server->GetHealthCheckService()->SetServingStatus(false);
  parts_->engine.WaitUntilIdle(timeout);
  parts_->live_calls.WaitUntilNone(deadline - absl::Now());
  // Cancels what is left, and waits until gRPC has let go of it.
  parts_->rpc_server->Shutdown(std::chrono::system_clock::now() +
                               kShutdownGrace);
  parts_->rpc_server->Wait();
  parts_->live_calls.WaitUntilNone(absl::InfiniteDuration());
  parts_->rpc_server.reset();
}

Server::~Server() { Drain(absl::ZeroDuration()); }

}  // namespace sheaf
