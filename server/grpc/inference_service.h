// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "server/exchange.h"
#include "server/grpc/health_service.h"
#include "server/grpc/rpc_router.h"

namespace sheaf {

// Adds inference.GRPCInferenceService, the Open Inference Protocol (KServe v2).
// Anybody may ask whether server and model are ready, as with `health`, of
// which `liveness` and "" are the answers. No parameter is owned.
void AddInferenceService(RpcHost& host, const Services& services,
                         const HealthService& health, RpcRouter& router);

}  // namespace sheaf
