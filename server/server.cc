// SPDX-License-Identifier: Apache-2.0

#include "server/server.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/check.h"
#include "base/monotonic_time.h"
#include "base/timed_mutex.h"
#include "base/wait_count.h"
#include "grpc/health/v1/health.pb.h"
#include "inference/grpc_service.pb.h"
#include "server/access/auth_tokens.h"
#include "server/access/caller_limiter.h"
#include "server/access/intake.h"
#include "server/caller_glossaries.h"
#include "server/delivery.h"
#include "server/exchange.h"
#include "server/fair_executor.h"
#include "server/glossaries.h"
#include "server/grpc/certificates.h"
#include "server/grpc/health_service.h"
#include "server/grpc/inference_service.h"
#include "server/grpc/model_service.h"
#include "server/grpc/reflection_service.h"
#include "server/grpc/rpc_router.h"
#include "server/grpc/text_service.h"
#include "server/grpc/timers.h"
#include "server/http/completions.h"
#include "server/http/deepl.h"
#include "server/http/file_store.h"
#include "server/http/health.h"
#include "server/http/http_front.h"
#include "server/http/http_router.h"
#include "server/http/libretranslate.h"
#include "server/http/page.h"
#include "server/http/rest.h"
#include "server/messages.h"
#include "server/ops/connection_listener.h"
#include "server/ops/metrics.h"
#include "server/ops/reloader.h"
#include "server/ops/watchdog.h"
#include "server/parse_message.h"
#include "server/request_reader.h"
#include "server/utf8_tokens.h"
#include "sheaf/v1/model.pb.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {
namespace {

constexpr int kKeepaliveTimeMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 20'000;
// The maximum time from the start of a connection to its HTTP/2 settings,
// including TLS.
constexpr absl::Duration kHandshakeTimeout = absl::Seconds(20);
constexpr int kMinClientPingIntervalMs = 10'000;
// For calls that do not end by themselves, such as a watch of the health.
constexpr absl::Duration kShutdownGrace = absl::Milliseconds(200);
// By then, clients that watch the health or were refused once have gone
// elsewhere. A client that calls while gRPC shuts down gets CANCELLED and does
// not retry.
constexpr absl::Duration kDrainNotice = absl::Milliseconds(500);
// How long a drain waits for clients that do not read their answers, once
// nothing else is left to do.
constexpr absl::Duration kUnreadGrace = absl::Seconds(2);
constexpr absl::Duration kReloadInterval = absl::Seconds(1);

// Memory per byte of a text while it is read. In the worst case, each line has
// two bytes and is a source of its own.
constexpr int64_t kReadingBytes = 48;

int32_t NumSlots(const ServerOptions& options) {
  return static_cast<int32_t>(TransportBytes(options) / 2 /
                              MaxMessageBytes(options));
}

int32_t NumWaiting(const ServerOptions& options) {
  return static_cast<int32_t>(TransportBytes(options) * 3 / 8 /
                              RpcHost::kWaitingCallBytes);
}

// 819 by default. A client of gRPC that checks health holds one.
int32_t NumOpenStreams(const ServerOptions& options) {
  constexpr int64_t kBytesPerStream = 80 << 10;
  return static_cast<int32_t>(TransportBytes(options) / kBytesPerStream);
}

// The services that reflection lists in addition to itself.
std::vector<std::string> ServiceNames() {
  return {ServiceOf<v1::TranslateRequest>().full_name(),
          ServiceOf<v1::GetModelRequest>().full_name(),
          ServiceOf<inference::ModelInferRequest>().full_name(),
          ServiceOf<grpc::health::v1::HealthCheckRequest>().full_name()};
}

// The names of grpc.health.v1. "" is the whole server.
std::vector<std::string> HealthNames() {
  return {"", ServiceOf<v1::TranslateRequest>().full_name(),
          ServiceOf<v1::GetModelRequest>().full_name(),
          ServiceOf<inference::ModelInferRequest>().full_name(), kLivenessName};
}

void LogEvent(Log* log, absl::string_view name, const Log::Fields& fields) {
  if (log != nullptr) log->Event(name, fields);
}

// Where gRPC's own messages go, for example about failed handshakes. A global,
// because gRPC accepts a plain function only.
std::atomic<Log*> grpc_log = nullptr;

// Without the values of metadata, which are untrusted.
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

// Null without a directory.
absl::StatusOr<std::unique_ptr<Glossaries>> LoadGlossaries(
    const ServerOptions& options) {
  if (options.glossaries.empty()) return nullptr;
  return Glossaries::Load(
      options.glossaries,
      [log = options.log](const std::string& file, const absl::Status& now,
                          int32_t num_terms) {
        LogEvent(log, "glossaries",
                 {{"file", file},
                  {"is_taken", now.ok()},
                  {"num_terms", num_terms},
                  {"message", std::string(now.message())}});
      });
}

// Null without a directory.
absl::StatusOr<std::unique_ptr<CallerGlossaries>> OpenCallerGlossaries(
    const ServerOptions& options) {
  if (options.http_glossaries.empty()) return nullptr;
  return CallerGlossaries::Open(
      options.http_glossaries, options.http_glossary_limits,
      [log = options.log](const absl::Status& error) {
        LogEvent(log, "http_glossaries",
                 {{"message", std::string(error.message())}});
      });
}

ConnectionListener::Options ConnectionLimits(const ServerOptions& options) {
  return {.max_connections = options.max_connections,
          .max_connections_per_address = options.max_connections_per_address,
          .trusted_proxies = options.trusted_proxies};
}

HttpLimits HttpLimitsOf(const ServerOptions& options) {
  HttpLimits limits;
  limits.max_header_bytes = static_cast<size_t>(options.max_metadata_bytes);
  limits.max_body_bytes = MaxHttpBodyBytes(options);
  limits.body_timeout = options.message_timeout;
  limits.answer_timeout = options.answer_timeout;
  limits.idle_timeout = options.max_connection_idle;
  limits.max_age = options.max_connection_age;
  return limits;
}

// Null without encryption.
absl::StatusOr<std::unique_ptr<Certificates>> LoadCertificates(
    const ServerOptions& options) {
  if (!options.tls.is_set()) return nullptr;
  auto certificates = Certificates::Load(
      options.tls,
      [log = options.log](const absl::Status& now, absl::Time not_after) {
        LogEvent(log, "certificates",
                 {{"is_taken", now.ok()},
                  {"not_after", absl::FormatTime(absl::RFC3339_sec, not_after,
                                                 absl::UTCTimeZone())},
                  {"message", std::string(now.message())}});
      });
  if (!certificates.ok() || options.log == nullptr) return certificates;
  const absl::Status valid =
      CheckValidAt((*certificates)->current(), options.tls, absl::Now());
  if (!valid.ok()) {
    options.log->Note(absl::StrCat("warning: ", valid.message()));
  }
  return certificates;
}

void SetLimits(const ServerOptions& options, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(MaxMessageBytes(options));
  // A last resort, far above what the slots and the other limits of RpcHost let
  // through. When it is exceeded, gRPC resets streams of any connection, and
  // gRPC 1.51 can crash, because memory that returns on some of its threads
  // wakes code that needs an ExecCtx. Without it, a client that sends one
  // endless message would exhaust the memory, because gRPC checks the size of a
  // message only after the whole has arrived.
  builder.SetResourceQuota(grpc::ResourceQuota("sheaf").Resize(
      static_cast<size_t>(2 * TransportBytes(options))));
  // Windows grow to the size of a message once it is received. Until then, and
  // for what nobody reads, they stay small.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES,
                             RpcHost::kWindowBytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  // A call inflates its message itself, so that a small message cannot become
  // a huge one.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
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
  builder.AddChannelArgument(
      GRPC_ARG_MAX_CONNECTION_IDLE_MS,
      static_cast<int>(absl::ToInt64Milliseconds(options.max_connection_idle)));
  builder.AddChannelArgument(
      GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
      static_cast<int>(absl::ToInt64Milliseconds(
          std::min(options.max_connection_idle, kHandshakeTimeout))));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             kKeepaliveTimeoutMs);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      kMinClientPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
}

// Refuses new calls, cancels those that are left after kShutdownGrace, and
// returns once gRPC has released all. Does not use the deadline of Shutdown(),
// because it follows the wall clock and can be an hour late.
void ShutDown(grpc::Server& server) {
  TimedMutex mutex;
  bool has_ended = false;
  std::thread thread([&] {
    server.Shutdown();
    TimedMutexLock lock(&mutex);
    has_ended = true;
  });
  {
    TimedMutexLock lock(&mutex);
    const auto is_over = [&] { return has_ended; };
    // Repeatedly, in case the thread has not begun yet.
    while (!mutex.AwaitWithTimeout(is_over, kShutdownGrace)) {
      grpc_server_cancel_all_calls(server.c_server());
    }
  }
  thread.join();
  server.Wait();
}

LaneOptions MakeLane(const ServerOptions& options, const ServedModel& model,
                     const EngineParts& parts, Metrics& metrics,
                     Watchdog& watchdog) {
  LaneOptions out;
  out.runner = parts.runner;
  out.kv_shape = parts.kv_shape;
  out.max_queue = options.max_queue;
  out.utf8_rule = Utf8RuleOf(model);
  out.on_step = [&metrics, &watchdog](const StepStats& stats) {
    metrics.OnStep(stats);
    watchdog.OnStep();
  };
  return out;
}

}  // namespace

// Each member uses only members before it: gRPC's threads call the services,
// the engine calls the delivery and the metrics.
class Server::Parts {
 public:
  Parts(const ServerOptions& options, const ServedModel& model,
        const EngineParts& engine_parts,
        std::unique_ptr<AuthTokens> auth_tokens,
        std::unique_ptr<Certificates> tls_certificates,
        std::unique_ptr<Glossaries> named_glossaries,
        std::unique_ptr<CallerGlossaries> glossaries_of_callers)
      : tokens(std::move(auth_tokens)),
        certificates(std::move(tls_certificates)),
        glossaries(std::move(named_glossaries)),
        caller_glossaries(std::move(glossaries_of_callers)),
        limiter(tokens.get(), options.max_requests_per_caller),
        trusted_proxies(options.trusted_proxies),
        log(options.log),
        watchdog({.patience = options.stuck_after,
                  .interval = std::min(options.stuck_after / 4,
                                       Watchdog::Options().interval)}),
        metrics(model.name, KvCapacity(engine_parts.kv_shape)),
        request_reader(model, options.limits, glossaries.get()),
        engine(EngineOptions(), *engine_parts.team, *engine_parts.kernels,
               {MakeLane(options, model, engine_parts, metrics, watchdog)}),
        intake(options.max_queued_bytes,
               [this](int64_t bytes) { metrics.SetQueuedBytes(bytes); }),
        reading({.max_waiting = options.max_queue,
                 .max_long_bytes = static_cast<size_t>(
                     options.max_queued_bytes / kReadingBytes)}),
        services({.engine = &engine,
                  .delivery = &delivery,
                  .metrics = &metrics,
                  .open_exchanges = &open_exchanges,
                  .unfinished_requests = &unfinished_requests,
                  .request_reader = &request_reader,
                  .reading = &reading,
                  .limiter = &limiter,
                  .intake = &intake,
                  .log = options.log,
                  .default_deadline = options.default_deadline}),
        host{.metrics = &metrics,
             .proxies = &trusted_proxies,
             .timers = &timers,
             .message_timeout = options.message_timeout,
             .answer_timeout = options.answer_timeout,
             .max_message_bytes = MaxMessageBytes(options),
             .slots = MessageSlots(NumSlots(options)),
             .stream_slots = MessageSlots(2 * NumSlots(options)),
             .waiting = OpenCalls(NumWaiting(options)),
             .open_streams = OpenCalls(NumOpenStreams(options))} {
    AddServices(model, KvCapacity(engine_parts.kv_shape),
                options.has_reflection);
  }

  static int64_t KvCapacity(const KvPoolShape& shape) {
    return int64_t{shape.num_blocks} * shape.block_bytes;
  }

  void AddServices(const ServedModel& model, int64_t kv_capacity_bytes,
                   bool has_reflection) {
    AddTextService(host, services, router);
    AddModelService(host, model, kv_capacity_bytes, &limiter, router);
    AddInferenceService(host, services, health, router);
    health.AddTo(host, router);
    if (has_reflection) AddReflectionServices(host, ServiceNames(), router);
  }

  // Tells the health service whether the engine is alive.
  void Watch() {
    watchdog.Start(
        [this] { return !engine.WaitUntilIdle(absl::ZeroDuration()); },
        [this](bool is_stuck) {
          LogEvent(log, "engine", {{"is_stuck", is_stuck}});
          health.Set(kLivenessName, !is_stuck);
        });
  }

  std::function<void(const ConnectionListener::Refusal&)> OnRefused(
      const ServerOptions& options) {
    return [this, max = options.max_connections,
            max_per_address = options.max_connections_per_address](
               const ConnectionListener::Refusal& refusal) {
      metrics.CountRefusedConnection();
      const bool is_for_address = refusal.is_for_address;
      const char* limit =
          is_for_address ? "max_connections_per_address" : "max_connections";
      LogEvent(log, "connection_refused",
               {{"reason", limit},
                {"num_open", refusal.num_open},
                {limit, is_for_address ? max_per_address : max},
                {"address", refusal.address}});
    };
  }

  void Listen(const ServerOptions& options) {
    ConnectionListener::Events events;
    events.on_connection = [this](int fd) {
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
          connection;
      connection.fd = fd;
      acceptor->HandleNewConnection(&connection);
    };
    events.on_refused = OnRefused(options);
    events.on_num_open = [this](int32_t num_open) {
      metrics.SetConnections(num_open);
    };
    listener->Start(std::move(events));
  }

  // Does nothing without --http_listen.
  absl::Status ListenHttp(const ServerOptions& options,
                          const ServedModel& model, int64_t kv_capacity_bytes) {
    if (!options.http_listen.has_value()) return absl::OkStatus();
    AddHealth([this] { return intake.CheckOpen().ok(); }, http_router);
    AddPage(metrics, &limiter, http_router);
    const auto files = std::make_shared<FileStore>(kHttpFileBytes);
    AddLibreTranslate(services, options.limits,
                      /*needs_token=*/tokens != nullptr, files, http_router);
    HttpFront::Options front;
    front.address = *options.http_listen;
    front.connections = ConnectionLimits(options);
    front.limits = HttpLimitsOf(options);
    front.cors_origins = options.http_cors_origins;
    front.max_body_bytes = HttpBodyBytes(options);
    front.on_refused = OnRefused(options);
    if (certificates != nullptr) {
      front.identity = [this] { return certificates->current(); };
    }
    AddDeepL({&services, caller_glossaries.get(), files}, http_router);
    AddRest(services, DescriptionOf(model, kv_capacity_bytes), http_router);
    AddCompletions(services, model.name, http_router);
    absl::StatusOr<std::unique_ptr<HttpFront>> listening =
        HttpFront::Listen(std::move(front), &http_router, &metrics);
    if (!listening.ok()) return listening.status();
    http = *std::move(listening);
    return absl::OkStatus();
  }

  void WatchFiles() {
    reloader.Start([this](bool is_asked) {
      if (tokens != nullptr) tokens->Look(is_asked);
      if (certificates != nullptr) certificates->Look(is_asked);
      if (glossaries != nullptr) glossaries->Look(is_asked);
    });
  }

  std::unique_ptr<AuthTokens> tokens;          // null: none are required
  std::unique_ptr<Certificates> certificates;  // null: no encryption
  std::unique_ptr<Glossaries> glossaries;      // null: there are none
  std::unique_ptr<CallerGlossaries> caller_glossaries;  // null: none are kept
  CallerLimiter limiter;
  const TrustedProxies trusted_proxies;
  Log* const log;
  Watchdog watchdog;
  Metrics metrics;
  RequestReader request_reader;
  // Outlives the threads below, which may be about to leave Post().
  HttpRouter http_router;
  std::unique_ptr<HttpFront> http;  // null: none
  WaitCount open_exchanges;
  WaitCount unfinished_requests;
  Delivery delivery;
  Engine engine;
  Intake intake;
  FairExecutor reading;
  const Services services;
  Timers timers;
  RpcHost host;
  HealthService health;
  RpcRouter router{host};
  std::unique_ptr<ConnectionListener> listener;
  // gRPC's side of the listener, which gets the accepted connections.
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor;
  std::unique_ptr<grpc::Server> rpc_server;  // null once drained
  Reloader reloader{kReloadInterval};
};

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerOptions& options, const ServedModel& model,
    const EngineParts& engine_parts) {
  RedirectProtobufLog();
  TakeGrpcLog(options.log);
  absl::StatusOr<std::unique_ptr<AuthTokens>> tokens = LoadTokens(options);
  if (!tokens.ok()) return tokens.status();
  absl::StatusOr<std::unique_ptr<Certificates>> certificates =
      LoadCertificates(options);
  if (!certificates.ok()) return certificates.status();
  absl::StatusOr<std::unique_ptr<Glossaries>> glossaries =
      LoadGlossaries(options);
  if (!glossaries.ok()) return glossaries.status();
  absl::StatusOr<std::unique_ptr<CallerGlossaries>> caller_glossaries =
      OpenCallerGlossaries(options);
  if (!caller_glossaries.ok()) return caller_glossaries.status();
  auto parts =
      std::make_unique<Parts>(options, model, engine_parts, *std::move(tokens),
                              *std::move(certificates), *std::move(glossaries),
                              *std::move(caller_glossaries));
  absl::StatusOr<int32_t> metrics_port =
      parts->metrics.Serve(options.metrics_listen);
  if (!metrics_port.ok()) return metrics_port.status();

  absl::StatusOr<std::unique_ptr<ConnectionListener>> listener =
      ConnectionListener::Listen(options.listen, ConnectionLimits(options));
  if (!listener.ok()) return listener.status();
  parts->listener = *std::move(listener);
  if (absl::Status status = parts->ListenHttp(
          options, model, Parts::KvCapacity(engine_parts.kv_shape));
      !status.ok()) {
    return status;
  }

  grpc::ServerBuilder builder;
  parts->acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      parts->certificates == nullptr
          ? grpc::InsecureServerCredentials()
          : parts->certificates->MakeServerCredentials());
  builder.RegisterCallbackGenericService(&parts->router);
  SetLimits(options, builder);
  parts->rpc_server = builder.BuildAndStart();
  if (parts->rpc_server == nullptr) {
    return absl::InternalError("gRPC does not start");
  }
  for (const std::string& name : HealthNames()) parts->health.Set(name, true);
  parts->Watch();
  parts->WatchFiles();
  parts->Listen(options);
  std::optional<HostPort> http_listen = options.http_listen;
  if (parts->http != nullptr) {
    http_listen->port = parts->http->port();
    parts->http->Start();
  }

  HostPort listen = options.listen;
  listen.port = parts->listener->port();
  std::unique_ptr<Server> server(new Server(std::move(parts)));
  server->listen_ = std::move(listen);
  server->http_listen_ = std::move(http_listen);
  server->metrics_listen_ = {options.metrics_listen.host, *metrics_port};
  return server;
}

void Server::Reload() { parts_->reloader.AskNow(); }

void Server::Drain(absl::Duration timeout) {
  if (parts_->rpc_server == nullptr) return;
  // The time includes gRPC's own shutdown.
  const absl::Duration grace = std::min(kShutdownGrace, timeout / 4);
  const MonotonicTime deadline = MonotonicTime::Now() + (timeout - grace);
  parts_->intake.Close();
  parts_->health.SetAllNotServing(
      /*except=*/kLivenessName);  // it is no failure
  // Messages that are still being sent would be refused on arrival.
  parts_->host.is_draining = true;
  parts_->timers.FireAll();
  if (parts_->http != nullptr) parts_->http->BeginDrain();
  absl::SleepFor(std::min(timeout - grace, kDrainNotice));
  parts_->unfinished_requests.WaitUntilZero(deadline - MonotonicTime::Now());
  parts_->open_exchanges.WaitUntilZero(
      std::min(kUnreadGrace, deadline - MonotonicTime::Now()));
  // Texts that are still being read end with UNAVAILABLE, so clients may retry.
  parts_->intake.Abandon();
  parts_->engine.Drain();
  parts_->watchdog.Stop();
  parts_->listener->Stop();
  if (parts_->http != nullptr) parts_->http->Stop();
  ShutDown(*parts_->rpc_server);
  parts_->open_exchanges.WaitUntilZero(absl::InfiniteDuration());
  parts_->rpc_server.reset();
}

Server::~Server() {
  Drain(absl::ZeroDuration());
  grpc_log = nullptr;
}

}  // namespace sheaf
