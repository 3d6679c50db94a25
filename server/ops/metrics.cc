// SPDX-License-Identifier: Apache-2.0

#include "server/ops/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/version.h"
#include "server/ops/process_stats.h"
#include "server/ops/rate_window.h"

namespace sheaf {
namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;
using Buckets = Histogram::BucketBoundaries;

constexpr std::array<const char*, 4> kFinishReasons = {
    "eos", "length", "stop_sequence", "repetition"};
constexpr std::array<const char*, 10> kRejections = {
    "invalid_argument", "unknown_model", "unimplemented", "no_tokenizer",
    "queue_full",       "draining",      "deadline",      "unauthenticated",
    "caller_limit",     "queued_bytes"};
constexpr std::array<const char*, 2> kCopyReasons = {"no_letter",
                                                     "target_language"};
constexpr std::array<const char*, 3> kDetections = {"certain", "uncertain",
                                                    "unknown"};
// The labels of segment_checks_total, by SegmentCheck.
struct CheckLabels {
  const char* check;
  const char* result;
};
constexpr std::array<CheckLabels, kNumSegmentChecks> kChecks = {
    {{"protected_spans", "kept"},
     {"protected_spans", "put_back"},
     {"protected_spans", "stand_ins"},
     {"protected_spans", "cut"},
     {"protected_spans", "lost"},
     {"numbers", "repaired"},
     {"numbers", "flagged"},
     {"unknown_characters", "copied"},
     {"unknown_characters", "flagged"},
     {"capitals", "in_sentence_case"},
     {"capitals", "as_they_are"},
     {"coverage", "repaired"},
     {"coverage", "flagged"},
     {"terms", "used"},
     {"terms", "constrained"},
     {"terms", "missing"}}};
// In the order of gRPC's status codes, with the names of go-grpc-prometheus.
constexpr std::array<const char*, 17> kGrpcCodes = {"OK",
                                                    "Canceled",
                                                    "Unknown",
                                                    "InvalidArgument",
                                                    "DeadlineExceeded",
                                                    "NotFound",
                                                    "AlreadyExists",
                                                    "PermissionDenied",
                                                    "ResourceExhausted",
                                                    "FailedPrecondition",
                                                    "Aborted",
                                                    "OutOfRange",
                                                    "Unimplemented",
                                                    "Internal",
                                                    "Unavailable",
                                                    "DataLoss",
                                                    "Unauthenticated"};
constexpr int32_t kGrpcUnknown = 2;

// From one step of a small model to a wait in a full queue.
Buckets TokenBuckets() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
          0.25,  0.5,    1,     2.5,  5,     10};
}
Buckets RequestBuckets() {
  return {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
          2.5,   5,    10,    30,   60,  120,  300, 600};
}
Buckets BatchBuckets() { return {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}; }

Labels RpcLabels(const RpcName& rpc) {
  return {{"grpc_service", rpc.service},
          {"grpc_method", rpc.method},
          {"grpc_type", rpc.type}};
}

Labels HandledLabels(const RpcName& rpc, int32_t code) {
  const bool is_known =
      code >= 0 && code < static_cast<int32_t>(kGrpcCodes.size());
  Labels labels = RpcLabels(rpc);
  labels["grpc_code"] = kGrpcCodes[is_known ? code : kGrpcUnknown];
  return labels;
}

Labels RouteLabels(const HttpRouteName& route) {
  return {{"method", route.method}, {"path", route.path}};
}

prometheus::MetricFamily ScrapedFamily(const char* name, const char* help,
                                       prometheus::MetricType type,
                                       double value, const Labels& labels) {
  prometheus::ClientMetric metric;
  for (const auto& [key, text] : labels) metric.label.push_back({key, text});
  metric.gauge.value = value;
  metric.counter.value = value;
  return {name, help, type, {metric}};
}

void AddProcessFamilies(std::vector<prometheus::MetricFamily>& families) {
  using prometheus::MetricType;
  const ProcessStats process = ReadProcessStats();
  const auto add = [&families](const char* name, const char* help,
                               MetricType type, double value) {
    families.push_back(ScrapedFamily(name, help, type, value, {}));
  };
  add("process_resident_memory_bytes", "Resident memory size in bytes.",
      MetricType::Gauge, static_cast<double>(process.resident_bytes));
  add("process_virtual_memory_bytes", "Virtual memory size in bytes.",
      MetricType::Gauge, static_cast<double>(process.virtual_bytes));
  add("process_cpu_seconds_total",
      "Total user and system CPU time spent in seconds.", MetricType::Counter,
      process.cpu_seconds);
  add("process_open_fds", "Number of open file descriptors.", MetricType::Gauge,
      static_cast<double>(process.num_open_fds));
  add("process_max_fds", "Maximum number of open file descriptors.",
      MetricType::Gauge, static_cast<double>(process.max_fds));
  add("process_start_time_seconds",
      "Start time of the process since unix epoch in seconds.",
      MetricType::Gauge, process.start_time_seconds);
}

}  // namespace

// Series that events change are in the registry. The others are computed for
// each scrape.
class Metrics::Series {
 public:
  Series(const std::string& model_name, int64_t kv_capacity_bytes,
         std::function<MonotonicTime()> now)
      : model_({{"model", model_name}}), now_(std::move(now)) {
    for (const char* reason : kFinishReasons) {
      success_.push_back(&success_family_.Add({{"finished_reason", reason}}));
    }
    for (const char* reason : kRejections) {
      rejected_.push_back(&rejected_family_.Add({{"reason", reason}}));
    }
    for (const char* reason : kCopyReasons) {
      copied_.push_back(&copied_family_.Add({{"reason", reason}}));
    }
    for (const char* result : kDetections) {
      detections_.push_back(&detection_family_.Add({{"result", result}}));
    }
    for (const auto& [check, result] : kChecks) {
      checks_.push_back(
          &check_family_.Add({{"check", check}, {"result", result}}));
    }
    kv_capacity_.Set(static_cast<double>(kv_capacity_bytes));
  }

  void OnStep(const StepStats& stats) {
    const EngineGauges& gauges = stats.gauges;
    const KvBytes& kv = gauges.kv;
    self_used_.Set(static_cast<double>(kv.self_used));
    cross_used_.Set(static_cast<double>(kv.cross_used));
    self_reserved_.Set(static_cast<double>(kv.self_reserved));
    cross_reserved_.Set(static_cast<double>(kv.cross_reserved));
    kv_capacity_.Set(static_cast<double>(kv.capacity));
    kv_usage_.Set(kv.capacity == 0
                      ? 0
                      : static_cast<double>(kv.self_used + kv.cross_used) /
                            static_cast<double>(kv.capacity));
    requests_running_.Set(gauges.num_requests_running);
    requests_waiting_.Set(gauges.num_requests_waiting);
    sequences_running_.Set(gauges.num_sequences_running);
    prompt_tokens_.Increment(stats.num_prompt_tokens);
    generation_tokens_.Increment(stats.num_generated_tokens);
    loops_.Increment(stats.num_loops);
    if (stats.num_generated_tokens > 0) {
      generated_.Add(now_(), stats.num_generated_tokens);
    }
    if (stats.encode_seconds > 0) encode_.Observe(stats.encode_seconds);
    if (stats.num_decoded_sequences > 0) {
      decode_.Observe(stats.decode_seconds);
      batch_.Observe(stats.num_decoded_sequences);
    }
    ObserveAll(stats.time_to_first_token_seconds, ttft_);
    ObserveAll(stats.inter_token_seconds, itl_);
    ObserveAll(stats.queue_seconds, queue_);
    ObserveAll(stats.e2e_seconds, e2e_);
  }

  void CountSuccess(FinishReason reason) {
    success_[static_cast<int>(reason)]->Increment();
  }
  void CountRejected(Rejection reason) {
    rejected_[static_cast<int>(reason)]->Increment();
  }
  void CountCopied(CopyReason reason, int64_t num_sentences) {
    copied_[static_cast<int>(reason)]->Increment(
        static_cast<double>(num_sentences));
  }
  void CountDetection(Detection result) {
    detections_[static_cast<int>(result)]->Increment();
  }

  void CountChecks(const SegmentCheckCounts& checks) {
    for (size_t i = 0; i < checks_.size(); ++i) {
      checks_[i]->Increment(static_cast<double>(checks.counts[i]));
    }
    decodes_again_.Increment(static_cast<double>(checks.num_decodes));
  }

  void SetConnections(int32_t num_open) { connections_.Set(num_open); }
  void SetQueuedBytes(int64_t bytes) {
    queued_bytes_.Set(static_cast<double>(bytes));
  }
  void CountRefusedConnection() { refused_connections_.Increment(); }

  void CountClient(const std::string& token_name) {
    client_family_.Add({{"client", token_name}}).Increment();
  }

  void AddRpc(const RpcName& rpc) {
    started_family_.Add(RpcLabels(rpc));
    handling_family_.Add(RpcLabels(rpc), RequestBuckets());
    for (size_t code = 0; code < kGrpcCodes.size(); ++code) {
      handled_family_.Add(HandledLabels(rpc, static_cast<int32_t>(code)));
    }
  }
  void CountRpcStarted(const RpcName& rpc) {
    started_family_.Add(RpcLabels(rpc)).Increment();
  }
  void CountRpcHandled(const RpcName& rpc, int32_t code, double seconds) {
    handled_family_.Add(HandledLabels(rpc, code)).Increment();
    handling_family_.Add(RpcLabels(rpc), RequestBuckets()).Observe(seconds);
  }

  void AddHttpRoute(const HttpRouteName& route) {
    http_family_.Add(RouteLabels(route), RequestBuckets());
  }
  void CountHttpRequest(const HttpRouteName& route, int32_t status,
                        double seconds) {
    Labels labels = RouteLabels(route);
    http_family_.Add(labels, RequestBuckets()).Observe(seconds);
    labels["code"] = std::to_string(status);
    http_requests_family_.Add(labels).Increment();
  }
  void SetHttpConnections(int32_t num_open) { http_connections_.Set(num_open); }

  LiveFigures Live() const {
    LiveFigures live;
    live.gauges.num_requests_running = ValueOf<int32_t>(requests_running_);
    live.gauges.num_requests_waiting = ValueOf<int32_t>(requests_waiting_);
    live.gauges.num_sequences_running = ValueOf<int32_t>(sequences_running_);
    live.gauges.kv = {
        ValueOf<int64_t>(self_used_), ValueOf<int64_t>(cross_used_),
        ValueOf<int64_t>(self_reserved_), ValueOf<int64_t>(cross_reserved_),
        ValueOf<int64_t>(kv_capacity_)};
    live.tokens_per_second = generated_.PerSecond(now_());
    return live;
  }

  std::vector<prometheus::MetricFamily> Collect() const {
    std::vector<prometheus::MetricFamily> families = registry_.Collect();
    AddProcessFamilies(families);
    families.push_back(ScrapedFamily(
        "sheaf_generation_tokens_per_second",
        "Tokens generated each second, over the last ten.",
        prometheus::MetricType::Gauge, generated_.PerSecond(now_()), model_));
    families.push_back(ScrapedFamily("sheaf_build_info",
                                     "What was built, in labels; always 1.",
                                     prometheus::MetricType::Gauge, 1,
                                     {{"version", Version()},
                                      {"commit", Commit()},
                                      {"compiler", Compiler()}}));
    return families;
  }

 private:
  template <typename Integer>
  static Integer ValueOf(const Gauge& gauge) {
    return static_cast<Integer>(gauge.Value());
  }

  static void ObserveAll(const std::vector<double>& values,
                         Histogram& histogram) {
    for (double value : values) histogram.Observe(value);
  }

  prometheus::Family<Gauge>& GaugeFamily(const char* name, const char* help) {
    return prometheus::BuildGauge()
        .Name(name)
        .Help(help)
        .Labels(model_)
        .Register(registry_);
  }
  prometheus::Family<Counter>& CounterFamily(const char* name, const char* help,
                                             const Labels& labels) {
    return prometheus::BuildCounter()
        .Name(name)
        .Help(help)
        .Labels(labels)
        .Register(registry_);
  }
  Gauge& AddGauge(const char* name, const char* help) {
    return GaugeFamily(name, help).Add({});
  }
  Counter& AddCounter(const char* name, const char* help) {
    return CounterFamily(name, help, model_).Add({});
  }
  Histogram& AddHistogram(const char* name, const char* help,
                          const Buckets& buckets) {
    return prometheus::BuildHistogram()
        .Name(name)
        .Help(help)
        .Labels(model_)
        .Register(registry_)
        .Add({}, buckets);
  }

  const Labels model_;
  const std::function<MonotonicTime()> now_;
  prometheus::Registry registry_;
  RateWindow generated_;

  prometheus::Family<Gauge>& kv_family_ = GaugeFamily(
      "sheaf_kv_cache_bytes",
      "Bytes of KV cache in whole blocks, by attention: used is what blocks "
      "hold now, reserved the most that the admitted requests can hold, used "
      "included.");
  Gauge& self_used_ =
      kv_family_.Add({{"attention", "self"}, {"state", "used"}});
  Gauge& cross_used_ =
      kv_family_.Add({{"attention", "cross"}, {"state", "used"}});
  Gauge& self_reserved_ =
      kv_family_.Add({{"attention", "self"}, {"state", "reserved"}});
  Gauge& cross_reserved_ =
      kv_family_.Add({{"attention", "cross"}, {"state", "reserved"}});
  Gauge& kv_capacity_ = AddGauge("sheaf_kv_cache_capacity_bytes",
                                 "Bytes of all blocks of the KV cache.");
  Gauge& kv_usage_ =
      AddGauge("sheaf_kv_cache_usage_ratio",
               "Used bytes of the KV cache by its capacity, 0 to 1.");
  Gauge& requests_running_ = AddGauge("sheaf_num_requests_running",
                                      "Requests that are encoded or decoded.");
  Gauge& requests_waiting_ =
      AddGauge("sheaf_num_requests_waiting",
               "Requests that wait for their first place.");
  Gauge& sequences_running_ =
      AddGauge("sheaf_num_sequences_running",
               "Sequences that hold a place in the decode batch.");
  Gauge& queued_bytes_ =
      AddGauge("sheaf_queued_bytes",
               "Memory of the requests that have arrived and have not ended; "
               "--max_queued_bytes limits it.");
  Gauge& connections_ =
      AddGauge("sheaf_num_connections", "Connections of the RPCs.");
  Counter& refused_connections_ =
      AddCounter("sheaf_connections_refused_total",
                 "Connections beyond --max_connections, closed at once.");
  Counter& prompt_tokens_ = AddCounter("sheaf_prompt_tokens_total",
                                       "Source tokens given to the encoder.");
  Counter& generation_tokens_ =
      AddCounter("sheaf_generation_tokens_total",
                 "Tokens that answers consist of, without EOS "
                 "and target_prefix.");
  Counter& loops_ = AddCounter(
      "sheaf_loop_guard_stops_total",
      "Segments whose answer the loop guard ended for its repetition.");
  Histogram& ttft_ = AddHistogram(
      "sheaf_time_to_first_token_seconds",
      "From a request's arrival to its first token.", RequestBuckets());
  Histogram& itl_ =
      AddHistogram("sheaf_inter_token_latency_seconds",
                   "Between two tokens of a request.", TokenBuckets());
  Histogram& queue_ = AddHistogram(
      "sheaf_request_queue_time_seconds",
      "From a request's arrival to its first place.", RequestBuckets());
  Histogram& e2e_ =
      AddHistogram("sheaf_e2e_request_latency_seconds",
                   "From a request's arrival to its end, if it ended well.",
                   RequestBuckets());
  Histogram& batch_ = AddHistogram(
      "sheaf_step_batch_size", "Sequences of a decode step.", BatchBuckets());
  Histogram& encode_ = AddHistogram(
      "sheaf_encode_seconds", "Time that a step spent in the encoder, if any.",
      TokenBuckets());
  Histogram& decode_ = AddHistogram(
      "sheaf_decode_step_seconds",
      "Time of a step's decoder pass and choice of tokens.", TokenBuckets());
  prometheus::Family<Counter>& success_family_ = CounterFamily(
      "sheaf_request_success_total",
      "Requests that ended well, by how: eos, length, stop_sequence, "
      "repetition.",
      model_);
  prometheus::Family<Counter>& rejected_family_ =
      CounterFamily("sheaf_requests_rejected_total",
                    "Requests that did not run, by reason.", model_);
  prometheus::Family<Counter>& copied_family_ = CounterFamily(
      "sheaf_segments_copied_total",
      "Sentences copied into their translation, by reason: no_letter, "
      "target_language.",
      model_);
  prometheus::Family<Counter>& detection_family_ =
      CounterFamily("sheaf_language_detections_total",
                    "Texts whose language was detected, by result: certain, "
                    "uncertain, unknown.",
                    model_);
  prometheus::Family<Counter>& check_family_ = CounterFamily(
      "sheaf_segment_checks_total",
      "Segments of translations by what a check found and what was done: "
      "protected_spans, numbers, unknown_characters, capitals, coverage.",
      model_);
  Counter& decodes_again_ = AddCounter(
      "sheaf_segments_decoded_again_total",
      "Decodes of segments, or of parts of them, after a check failed.");
  prometheus::Family<Counter>& client_family_ = CounterFamily(
      "sheaf_client_requests_total",
      "Requests by the name of the token they came with.", model_);
  prometheus::Family<Counter>& started_family_ = CounterFamily(
      "grpc_server_started_total", "RPCs begun on the server.", {});
  prometheus::Family<Counter>& handled_family_ =
      CounterFamily("grpc_server_handled_total",
                    "RPCs ended on the server, by status code.", {});
  prometheus::Family<Histogram>& handling_family_ =
      prometheus::BuildHistogram()
          .Name("grpc_server_handling_seconds")
          .Help("From an RPC's arrival at the server to its status.")
          .Register(registry_);
  prometheus::Family<Counter>& http_requests_family_ =
      CounterFamily("sheaf_http_requests_total",
                    "Requests of the HTTP front, by status.", {});
  prometheus::Family<Histogram>& http_family_ =
      prometheus::BuildHistogram()
          .Name("sheaf_http_request_seconds")
          .Help("From the first byte of an HTTP request to its status.")
          .Register(registry_);
  Gauge& http_connections_ =
      AddGauge("sheaf_num_http_connections", "Connections of the HTTP front.");
  std::vector<Counter*> success_;     // by FinishReason
  std::vector<Counter*> rejected_;    // by Rejection
  std::vector<Counter*> copied_;      // by CopyReason
  std::vector<Counter*> detections_;  // by Detection
  std::vector<Counter*> checks_;      // by SegmentCheck
};

Metrics::Metrics(const std::string& model_name, int64_t kv_capacity_bytes,
                 std::function<MonotonicTime()> now)
    : series_(std::make_unique<Series>(model_name, kv_capacity_bytes,
                                       std::move(now))) {}

Metrics::~Metrics() = default;

absl::StatusOr<int32_t> Metrics::Serve(const HostPort& address) {
  absl::StatusOr<std::unique_ptr<HttpListener>> listener = HttpListener::Start(
      address,
      {.path = "/metrics",
       .content_type = "text/plain; version=0.0.4; charset=utf-8",
       .render = [this] { return Scrape(); }},
      HttpListener::Limits());
  if (!listener.ok()) {
    return absl::Status(listener.status().code(),
                        absl::StrCat("metrics: ", listener.status().message()));
  }
  listener_ = *std::move(listener);
  return listener_->port();
}

std::string Metrics::Scrape() const {
  return prometheus::TextSerializer().Serialize(series_->Collect());
}

LiveFigures Metrics::Live() const { return series_->Live(); }
void Metrics::OnStep(const StepStats& stats) { series_->OnStep(stats); }
void Metrics::CountSuccess(FinishReason reason) {
  series_->CountSuccess(reason);
}
void Metrics::CountRejected(Rejection reason) {
  series_->CountRejected(reason);
}
void Metrics::CountCopied(CopyReason reason, int64_t num_sentences) {
  series_->CountCopied(reason, num_sentences);
}
void Metrics::CountDetection(Detection result) {
  series_->CountDetection(result);
}
void Metrics::SetQueuedBytes(int64_t bytes) { series_->SetQueuedBytes(bytes); }
void Metrics::CountChecks(const SegmentCheckCounts& checks) {
  series_->CountChecks(checks);
}
void Metrics::SetConnections(int32_t num_open) {
  series_->SetConnections(num_open);
}
void Metrics::CountRefusedConnection() { series_->CountRefusedConnection(); }
void Metrics::CountClient(const std::string& token_name) {
  series_->CountClient(token_name);
}
void Metrics::AddRpc(const RpcName& rpc) { series_->AddRpc(rpc); }
void Metrics::CountRpcStarted(const RpcName& rpc) {
  series_->CountRpcStarted(rpc);
}
void Metrics::AddHttpRoute(const HttpRouteName& route) {
  series_->AddHttpRoute(route);
}
void Metrics::CountHttpRequest(const HttpRouteName& route, int32_t status,
                               double seconds) {
  series_->CountHttpRequest(route, status, seconds);
}
void Metrics::SetHttpConnections(int32_t num_open) {
  series_->SetHttpConnections(num_open);
}
void Metrics::CountRpcHandled(const RpcName& rpc, int32_t code,
                              double seconds) {
  series_->CountRpcHandled(rpc, code, seconds);
}

}  // namespace sheaf
