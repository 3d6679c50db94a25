// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <memory>

#include "server/ops/metrics.h"

namespace sheaf {

// Counts every RPC of the server, including health and reflection. Calls of
// unknown RPCs count as one. `metrics` is not owned.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>
MakeRpcMetrics(Metrics* metrics);

}  // namespace sheaf
