// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/wire.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "server/field_error.h"
#include "server/grpc/grpc_time.h"

namespace sheaf {
namespace {

// How long a client should wait after RESOURCE_EXHAUSTED.
constexpr absl::Duration kRetryDelay = absl::Milliseconds(500);
// Read by the retries of gRPC's clients.
constexpr char kRetryPushbackKey[] = "grpc-retry-pushback-ms";
// Both metadata that a client may send and trailing metadata of the answer.
constexpr char kRequestIdKey[] = "x-request-id";

// A serialized google.rpc.Status; empty if it would add nothing to the status.
std::string DetailsOf(const absl::Status& status) {
  google::rpc::Status details;
  if (const std::string field = FieldOf(status); !field.empty()) {
    google::rpc::BadRequest bad;
    auto* violation = bad.add_field_violations();
    violation->set_field(field);
    violation->set_description(std::string(status.message()));
    details.add_details()->PackFrom(bad);
  }
  if (absl::IsResourceExhausted(status)) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_nanos(
        static_cast<int32_t>(absl::ToInt64Nanoseconds(kRetryDelay)));
    details.add_details()->PackFrom(retry);
  }
  if (details.details().empty()) return "";
  details.set_code(static_cast<int32_t>(status.code()));
  details.set_message(std::string(status.message()));
  return details.SerializeAsString();
}

}  // namespace

std::string TakeBytes(const grpc::ByteBuffer& message) {
  std::string bytes;
  std::vector<grpc::Slice> slices;
  if (!message.Dump(&slices).ok()) return bytes;
  bytes.reserve(message.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  // The handler's parameter is const, but the object is not.
  const_cast<grpc::ByteBuffer&>(message).Clear();
  return bytes;
}

grpc::ByteBuffer SerializeMessage(
    const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

void AddPushback(const absl::Status& status, grpc::ServerContextBase* rpc) {
  if (!absl::IsResourceExhausted(status)) return;
  rpc->AddTrailingMetadata(
      kRetryPushbackKey, absl::StrCat(absl::ToInt64Milliseconds(kRetryDelay)));
}

Caller CallerOf(const grpc::ServerContextBase& rpc, absl::string_view method) {
  const auto metadata = [&rpc](absl::string_view key) -> std::string {
    const auto& sent = rpc.client_metadata();
    const auto it = sent.find(grpc::string_ref(key.data(), key.size()));
    if (it == sent.end()) return "";
    return std::string(it->second.data(), it->second.size());
  };
  Caller caller;
  caller.method = std::string(method);
  caller.peer = rpc.peer();
  // A client of a Unix socket chooses its own name there.
  if (absl::StartsWith(caller.peer, "unix")) caller.peer = "unix";
  caller.address = caller.peer.substr(0, caller.peer.rfind(':'));
  caller.authorization = metadata("authorization");
  caller.request_id = metadata(kRequestIdKey);
  caller.traceparent = metadata("traceparent");
  caller.deadline = FromGrpc(rpc.raw_deadline());
  return caller;
}

void AddRequestId(const std::string& request_id, grpc::ServerContextBase* rpc) {
  rpc->AddTrailingMetadata(kRequestIdKey, request_id);
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message()), DetailsOf(status));
}

}  // namespace sheaf
