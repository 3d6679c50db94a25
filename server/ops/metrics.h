// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/host_port.h"
#include "base/monotonic_time.h"
#include "engine/stats.h"
#include "server/ops/http_listener.h"
#include "server/repair/segment_check.h"

namespace sheaf {

// Why a request did not run; the label `reason` of requests_rejected_total.
enum class Rejection {
  kInvalidArgument,  // "invalid_argument"
  kUnknownModel,     // "unknown_model"
  kUnimplemented,    // "unimplemented": no such task, or not in this version
  kNoTokenizer,      // "no_tokenizer"
  kQueueFull,        // "queue_full"
  kDraining,         // "draining"
  kDeadline,         // "deadline": had passed before it was read
  kUnauthenticated,  // "unauthenticated": no token, or a wrong one
  kCallerLimit,      // "caller_limit": too many of one caller
  kQueuedBytes,      // "queued_bytes": the requests would take too much memory
};

// Why a sentence was copied into its translation; the label `reason` of
// segments_copied_total.
enum class CopyReason {
  kNoLetter,        // "no_letter"
  kTargetLanguage,  // "target_language": it is in that language already
};

// How certain a text's language is; the label `result` of
// language_detections_total.
enum class Detection {
  kCertain,    // "certain": confidence above 0.5
  kUncertain,  // "uncertain"
  kUnknown,    // "unknown": none, or confidence 0
};

// The labels of the grpc_server_ metrics.
struct RpcName {
  std::string service;  // "sheaf.v1.TextService"
  std::string method;   // "Translate"
  std::string type;     // "unary", "server_stream", "bidi_stream", ...
};

// The labels of the sheaf_http_ metrics.
struct HttpRouteName {
  std::string method;  // "POST"
  std::string path;    // "/translate"; open parts are "{}"
};

// The state of the engine after its last step, and the rate of tokens over the
// last ten seconds. Each value is of its own moment.
struct LiveFigures {
  EngineGauges gauges;
  double tokens_per_second = 0;
};

// Everything that /metrics shows. The only unit that uses Prometheus.
//
// Gauges have the values of the last step. Every series whose labels are known
// exists from the start with 0, so that rates have no gap.
//
// Thread-safe. OnStep() is called by the engine thread; it takes no lock that a
// scrape holds for long.
class Metrics {
 public:
  // `kv_capacity_bytes` is the size of the KV cache.
  Metrics(const std::string& model_name, int64_t kv_capacity_bytes,
          std::function<MonotonicTime()> now = MonotonicTime::Now);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Serves /metrics on `address` until destroyed; returns the port.
  // FAILED_PRECONDITION if the address cannot be listened on.
  absl::StatusOr<int32_t> Serve(const HostPort& address);

  // The current text of /metrics.
  std::string Scrape() const;
  LiveFigures Live() const;

  void OnStep(const StepStats& stats);
  void CountSuccess(FinishReason reason);
  void CountRejected(Rejection reason);
  void CountCopied(CopyReason reason, int64_t num_sentences);
  void CountDetection(Detection result);
  void CountChecks(const SegmentCheckCounts& checks);
  void SetConnections(int32_t num_open);
  void CountRefusedConnection();
  // Sets the memory of the requests that the server holds.
  void SetQueuedBytes(int64_t bytes);
  // Counts a request with the token of this name.
  void CountClient(const std::string& token_name);

  // Makes the series of an RPC, so that they exist before its first call.
  void AddRpc(const RpcName& rpc);
  // The names must not come from callers, because series are never removed.
  void CountRpcStarted(const RpcName& rpc);
  // The same for routes of HTTP; `status` is HTTP's.
  void AddHttpRoute(const HttpRouteName& route);
  void CountHttpRequest(const HttpRouteName& route, int32_t status,
                        double seconds);
  void SetHttpConnections(int32_t num_open);
  // `code` is the status code of gRPC.
  void CountRpcHandled(const RpcName& rpc, int32_t code, double seconds);

 private:
  class Series;
  const std::unique_ptr<Series> series_;
  std::unique_ptr<HttpListener> listener_;  // last: it reads series_
};

}  // namespace sheaf
