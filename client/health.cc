// SPDX-License-Identifier: Apache-2.0

#include "client/health.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "client/channel.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace sheaf {

namespace health = grpc::health::v1;

absl::Status CheckHealth(const ClientOptions& server,
                         const std::string& service,
                         const CallOptions& options) {
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel =
      OpenPlainChannel(server);
  if (!channel.ok()) return channel.status();
  const auto stub = health::Health::NewStub(*channel);
  grpc::ClientContext context;
  PrepareContext(server.token, options, context);
  health::HealthCheckRequest request;
  request.set_service(service);
  health::HealthCheckResponse response;
  const grpc::Status status = stub->Check(&context, request, &response);
  if (!status.ok()) return FromGrpc(status);
  if (response.status() == health::HealthCheckResponse::SERVING) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(absl::StrCat(
      "the server says ",
      health::HealthCheckResponse::ServingStatus_Name(response.status())));
}

}  // namespace sheaf
