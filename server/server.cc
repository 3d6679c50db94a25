#include "server/server.h"

#include <google/protobuf/descriptor.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "engine/check.h"
#include "server/auth_tokens.h"
#include "server/call.h"
#include "server/delivery.h"
#include "server/door_thread.h"
#include "server/guard.h"
#include "server/intake.h"
#include "server/memory_limit.h"
#include "server/metrics.h"
#include "server/model_service.h"
#include "server/rpc_listener.h"
#include "server/rpc_metrics.h"
#include "server/text_service.h"
#include "server/watchdog.h"
#include "server/wire.h"

namespace sheaf {
namespace {

// A text somewhat over the limit still reaches the door, which tells the client
// the limit; what is far over it is refused by gRPC unread.
constexpr int64_t kMessageSlackBytes = 4 << 20;
constexpr int kKeepaliveTimeMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 20'000;
constexpr int kMinClientPingIntervalMs = 10'000;
constexpr char kLiveness[] = "liveness";  // a name of grpc.health.v1
// For what has no end of its own, as a watch of the health.
constexpr std::chrono::milliseconds kShutdownGrace(200);
// Clients that watch the health, or are refused once, have gone elsewhere by
// then. Who calls while gRPC shuts down is told CANCELLED and does not retry.
constexpr absl::Duration kDrainNotice = absl::Milliseconds(500);

// Memory that a byte of a text may take while the text is read: a line of two
// bytes is a source of its own.
constexpr int64_t kReadingBytes = 48;

int MaxMessageBytes(int64_t max_text_bytes) {
  return static_cast<int>(
      std::min<int64_t>(2 * max_text_bytes + kMessageSlackBytes,
                        std::numeric_limits<int>::max()));
}

// The RPCs whose metrics are there before the first call.
void AddRpcs(bool has_reflection, Metrics& metrics) {
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
  if (has_reflection) {
    metrics.AddRpc({"grpc.reflection.v1alpha.ServerReflection",
                    "ServerReflectionInfo", "bidi_stream"});
  }
}

void LogEvent(Log* log, absl::string_view name, const Log::Fields& fields) {
  if (log != nullptr) log->Event(name, fields);
}

// Where gRPC's own messages go, handshakes that failed among them. gRPC takes a
// function and nothing beside it.
std::atomic<Log*> grpc_log = nullptr;

// Without the values of metadata, which are a stranger's.
std::string WithoutValues(absl::string_view message) {
  constexpr size_t kMost = 500;
  return std::string(
      message.substr(0, message.find(" value=")).substr(0, kMost));
}

void TakeGrpcLog(Log* log) {
  if (log == nullptr) return;
  grpc_log = log;
  gpr_set_log_function([](gpr_log_func_args* message) {
    LogEvent(grpc_log.load(), "grpc",
             {{"severity", gpr_log_severity_string(message->severity)},
              {"message", WithoutValues(message->message)}});
  });
}

absl::StatusOr<std::unique_ptr<AuthTokens>> LoadTokens(
    const ServerOptions& options) {
  if (options.auth_tokens_file.empty()) return nullptr;
  return AuthTokens::Load(
      options.auth_tokens_file, [log = options.log](const absl::Status& now) {
        LogEvent(
            log, "auth_tokens",
            {{"is_taken", now.ok()}, {"message", std::string(now.message())}});
      });
}

void SetLimits(const ServerOptions& options, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(
      MaxMessageBytes(options.limits.max_text_bytes));
  // Of the messages that are being received, and the connections.
  builder.SetResourceQuota(
      grpc::ResourceQuota("sheaf").Resize(static_cast<size_t>(
          std::max(options.max_queued_bytes, kQueuedInMargin))));
  builder.SetDefaultCompressionAlgorithm(GRPC_COMPRESS_NONE);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE,
                             options.max_metadata_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             options.max_streams_per_connection);
  if (options.max_connection_age != absl::InfiniteDuration()) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                               static_cast<int>(absl::ToInt64Milliseconds(
                                   options.max_connection_age)));
  }
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             kKeepaliveTimeoutMs);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      kMinClientPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
}

EngineOptions MakeEngineOptions(const ServerOptions& options, Metrics& metrics,
                                Watchdog& watchdog) {
  EngineOptions out;
  out.max_sequences = options.max_sequences;
  out.max_queue = options.max_queue;
  out.max_encode_tokens = options.max_encode_tokens;
  out.on_step = [&metrics, &watchdog](const StepStats& stats) {
    metrics.OnStep(stats);
    watchdog.OnStep();
  };
  return out;
}

}  // namespace

// In the order of what uses what: gRPC's threads call the services, the engine
// calls the delivery and the metrics.
class Server::Parts {
 public:
  Parts(const ServerOptions& options, const ServedModel& model,
        const EngineParts& engine_parts,
        std::unique_ptr<AuthTokens> auth_tokens)
      : tokens(std::move(auth_tokens)),
        guard(tokens.get(), options.max_requests_per_caller),
        log(options.log),
        watchdog({.patience = options.stuck_after,
                  .interval = std::min(options.stuck_after / 4,
                                       Watchdog::Options().interval)}),
        metrics(model.name, KvCapacity(engine_parts.kv_shape)),
        door(model, options.limits),
        engine(MakeEngineOptions(options, metrics, watchdog),
               engine_parts.kv_shape, *engine_parts.runner, *engine_parts.team,
               *engine_parts.kernels),
        intake(options.max_queued_bytes,
               [this](int64_t bytes) { metrics.SetQueuedBytes(bytes); }),
        door_thread({.max_waiting = options.max_queue,
                     .max_long_bytes = static_cast<size_t>(
                         options.max_queued_bytes / kReadingBytes)}),
        text_service({&engine, &delivery, &metrics, &live_calls, &door,
                      &door_thread, &guard, &intake, options.log},
                     options.default_deadline),
        model_service(model, KvCapacity(engine_parts.kv_shape), &guard) {}

  static int64_t KvCapacity(const KvPoolShape& shape) {
    return int64_t{shape.num_blocks} * shape.block_bytes;
  }

  // Tells the health service whether the engine is alive.
  void Watch() {
    watchdog.Start(
        [this] { return !engine.WaitUntilIdle(absl::ZeroDuration()); },
        [this](bool is_stuck) {
          LogEvent(log, "engine", {{"is_stuck", is_stuck}});
          rpc_server->GetHealthCheckService()->SetServingStatus(kLiveness,
                                                                !is_stuck);
        });
  }

  void Listen(int32_t max_connections) {
    RpcListener::Events events;
    events.on_connection = [this](int fd) {
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
          connection;
      connection.fd = fd;
      acceptor->HandleNewConnection(&connection);
    };
    events.on_refused = [this, max_connections](int32_t num_open) {
      metrics.CountRefusedConnection();
      LogEvent(log, "connection_refused",
               {{"num_open", num_open}, {"max_connections", max_connections}});
    };
    events.on_num_open = [this](int32_t num_open) {
      metrics.SetConnections(num_open);
    };
    listener->Start(std::move(events));
  }

  std::unique_ptr<AuthTokens> tokens;  // null: none are asked for
  Guard guard;
  Log* const log;
  Watchdog watchdog;
  Metrics metrics;
  Door door;
  LiveCalls live_calls;
  Delivery delivery;
  Engine engine;
  Intake intake;
  DoorThread door_thread;
  TextService text_service;
  ModelService model_service;
  std::unique_ptr<RpcListener> listener;
  // gRPC's; what the listener accepts goes through it.
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor;
  std::unique_ptr<grpc::Server> rpc_server;  // null once drained
};

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerOptions& options, const ServedModel& model,
    const EngineParts& engine_parts) {
  TakeProtobufLog();
  TakeGrpcLog(options.log);
  absl::StatusOr<std::unique_ptr<AuthTokens>> tokens = LoadTokens(options);
  if (!tokens.ok()) return tokens.status();
  auto parts =
      std::make_unique<Parts>(options, model, engine_parts, *std::move(tokens));
  AddRpcs(options.has_reflection, parts->metrics);
  absl::StatusOr<int32_t> metrics_port =
      parts->metrics.Serve(options.metrics_listen);
  if (!metrics_port.ok()) return metrics_port.status();

  absl::StatusOr<std::unique_ptr<RpcListener>> listener =
      RpcListener::Listen(options.listen, options.max_connections);
  if (!listener.ok()) return listener.status();
  parts->listener = *std::move(listener);

  grpc::EnableDefaultHealthCheckService(true);
  if (options.has_reflection) {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  }
  grpc::ServerBuilder builder;
  parts->acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      MakeServerCredentials(options.tls));
  builder.RegisterService(&parts->text_service);
  builder.RegisterService(&parts->model_service);
  SetLimits(options, builder);
  std::vector<
      std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
      interceptors;
  interceptors.push_back(MakeRpcMetrics(&parts->metrics));
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  parts->rpc_server = builder.BuildAndStart();
  if (parts->rpc_server == nullptr) {
    return absl::InternalError("gRPC does not start");
  }
  auto* health = parts->rpc_server->GetHealthCheckService();
  health->SetServingStatus(v1::TextService::service_full_name(), true);
  health->SetServingStatus(v1::ModelService::service_full_name(), true);
  health->SetServingStatus(kLiveness, true);
  parts->Watch();
  parts->Listen(options.max_connections);

  const int32_t port = parts->listener->port();
  std::unique_ptr<Server> server(new Server(std::move(parts)));
  server->listen_ = {options.listen.host, port};
  server->metrics_listen_ = {options.metrics_listen.host, *metrics_port};
  return server;
}

void Server::Drain(absl::Duration timeout) {
  if (parts_->rpc_server == nullptr) return;
  const absl::Time deadline = absl::Now() + timeout;
  parts_->intake.Close();
  auto* health = parts_->rpc_server->GetHealthCheckService();
  health->SetServingStatus(false);
  health->SetServingStatus(kLiveness, true);  // a drain is no reason to kill
  absl::SleepFor(std::min(timeout, kDrainNotice));
  parts_->live_calls.WaitUntilNone(deadline - absl::Now());
  // What is still being read ends with UNAVAILABLE, which clients may retry.
  parts_->intake.Abandon();
  parts_->engine.Drain();
  parts_->watchdog.Stop();
  parts_->listener->Stop();
  // Cancels what is left, and waits until gRPC has let go of it.
  parts_->rpc_server->Shutdown(std::chrono::system_clock::now() +
                               kShutdownGrace);
  parts_->rpc_server->Wait();
  parts_->live_calls.WaitUntilNone(absl::InfiniteDuration());
  parts_->rpc_server.reset();
}

Server::~Server() {
  Drain(absl::ZeroDuration());
  grpc_log = nullptr;
}

}  // namespace sheaf
