#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <memory>

#include "server/ops/metrics.h"

namespace sheaf {

// Counts every RPC of the server, health and reflection included; calls of what
// it does not have count as one RPC. `metrics` is
// not owned.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>
MakeRpcMetrics(Metrics* metrics);

}  // namespace sheaf
