// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "server/exchange.h"
#include "server/grpc/rpc_router.h"

namespace sheaf {

// Adds sheaf.v1.TextService, of which each call is an Exchange. `host` and
// `services` are not owned.
void AddTextService(RpcHost& host, const Services& services, RpcRouter& router);

}  // namespace sheaf
