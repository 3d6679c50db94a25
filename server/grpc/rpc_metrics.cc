// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/rpc_metrics.h"

#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/monotonic_time.h"

namespace sheaf {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::ServerRpcInfo;

const char* TypeName(ServerRpcInfo::Type type) {
  switch (type) {
    case ServerRpcInfo::Type::UNARY:
      return "unary";
    case ServerRpcInfo::Type::CLIENT_STREAMING:
      return "client_stream";
    case ServerRpcInfo::Type::SERVER_STREAMING:
      return "server_stream";
    case ServerRpcInfo::Type::BIDI_STREAMING:
      return "bidi_stream";
  }
  return "unknown";
}

// Parses a path such as "/sheaf.v1.TextService/Translate".
RpcName NameOf(const ServerRpcInfo& info) {
  absl::string_view path = info.method();
  absl::ConsumePrefix(&path, "/");
  const size_t slash = path.find('/');
  RpcName name;
  name.service = std::string(path.substr(0, slash));
  if (slash != absl::string_view::npos) {
    name.method = std::string(path.substr(slash + 1));
  }
  name.type = TypeName(info.type());
  return name;
}

// The metrics of one RPC. gRPC makes it when the RPC arrives and destroys it at
// the end. In between it sees the status once, unless the call broke before.
class RpcMetrics final : public grpc::experimental::Interceptor {
 public:
  RpcMetrics(Metrics* metrics, const ServerRpcInfo& info)
      : metrics_(metrics),
        name_(metrics->KnownRpc(NameOf(info))),
        begin_(MonotonicTime::Now()) {
    metrics_->CountRpcStarted(name_);
  }
  ~RpcMetrics() override {
    if (!is_handled_) Handled(grpc::StatusCode::CANCELLED);
  }

  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    if (!is_handled_ && methods->QueryInterceptionHookPoint(
                            InterceptionHookPoints::PRE_SEND_STATUS)) {
      Handled(methods->GetSendStatus().error_code());
    }
    methods->Proceed();
  }

 private:
  void Handled(grpc::StatusCode code) {
    is_handled_ = true;
    metrics_->CountRpcHandled(
        name_, code, absl::ToDoubleSeconds(MonotonicTime::Now() - begin_));
  }

  Metrics* const metrics_;
  const RpcName name_;
  const MonotonicTime begin_;
  bool is_handled_ = false;
};

class RpcMetricsFactory final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit RpcMetricsFactory(Metrics* metrics) : metrics_(metrics) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(
      ServerRpcInfo* info) override {
    return new RpcMetrics(metrics_, *info);
  }

 private:
  Metrics* const metrics_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>
MakeRpcMetrics(Metrics* metrics) {
  return std::make_unique<RpcMetricsFactory>(metrics);
}

}  // namespace sheaf
