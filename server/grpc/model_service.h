// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "server/access/caller_limiter.h"
#include "server/grpc/rpc_router.h"
#include "server/served_model.h"

namespace sheaf {

// Adds sheaf.v1.ModelService, which describes the served model. `host` and
// `limiter` are not owned.
void AddModelService(RpcHost& host, const ServedModel& model,
                     int64_t kv_capacity_bytes, CallerLimiter* limiter,
                     RpcRouter& router);

}  // namespace sheaf
