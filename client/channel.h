// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/client.h"
#include "grpcpp/grpcpp.h"

namespace sheaf {

// The common parts of all calls to a server, those of Client and others.

// Opens a channel to the servers of `options`: round robin over those that
// report that they are healthy, with the retries of ClientOptions.
// INVALID_ARGUMENT names the option that is wrong.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(
    const ClientOptions& options);

// The same without retries and regardless of the server's health.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenPlainChannel(
    const ClientOptions& options);

// Gives a call its deadline and, unless it is empty, the token.
void PrepareContext(const std::string& token, const CallOptions& options,
                    grpc::ClientContext& context);

// The codes correspond one to one. If the server ended the connection before it
// was ready, the message tells the usual reasons, because such a server cannot.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace sheaf
