// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

#include "server/grpc/rpc_router.h"

namespace sheaf {

// Adds gRPC's server reflection in both of its versions, v1 and v1alpha, which
// have the same messages under two names. It tells clients which services there
// are, and their protos. Anybody may ask. A stream costs no thread, and one
// that sends nothing ends after RpcHost::message_timeout.
//
// `services` are the full names to list, such as "sheaf.v1.TextService". Their
// protos are part of this program. The services below are listed with them.
// `host` is not owned.
void AddReflectionServices(RpcHost& host, std::vector<std::string> services,
                           RpcRouter& router);

// "grpc.reflection.v1.ServerReflection" and that of v1alpha.
std::vector<std::string> ReflectionServiceNames();

}  // namespace sheaf
