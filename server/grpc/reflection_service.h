// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <grpcpp/impl/codegen/service_type.h>

#include <memory>
#include <string>
#include <vector>

namespace sheaf {

// gRPC's server reflection in both of its versions, v1 and v1alpha, which have
// the same messages under two names. It tells clients which services there are,
// and their protos. Unlike in the library's own service, an idle stream takes
// no thread.
//
// `services` are the full names to list, such as "sheaf.v1.TextService". Their
// protos are part of this program. The services below are listed with them.
std::vector<std::unique_ptr<grpc::Service>> MakeReflectionServices(
    std::vector<std::string> services);

// "grpc.reflection.v1.ServerReflection" and that of v1alpha.
std::vector<std::string> ReflectionServiceNames();

}  // namespace sheaf
