#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/client.h"
#include "grpcpp/grpcpp.h"

namespace sheaf {

// The client's calls, and calls beside them, start and end alike.

// A channel to the servers of `options`: round robin over those that say they
// are healthy, with the retries that ClientOptions tells. INVALID_ARGUMENT
// names what is wrong with the options.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(
    const ClientOptions& options);

// The same without retries and whatever the server says of its health.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenPlainChannel(
    const ClientOptions& options);

// Gives a call its deadline and, if that is not empty, the token.
void PrepareContext(const std::string& token, const CallOptions& options,
                    grpc::ClientContext& context);

// Codes are the same one to one.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace sheaf
