// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/access/caller.h"
#include "server/access/trusted_proxies.h"

// Between gRPC's types and ours.
namespace sheaf {

// Takes the bytes of a message that a call received, inflated if the client
// compressed them. The buffer is empty afterwards; otherwise gRPC would keep
// the message until the call ends. Errors are those of Inflate(), also for a
// message that is not compressed.
absl::StatusOr<std::string> TakeMessage(grpc::ByteBuffer* message,
                                        int64_t max_bytes);

grpc::ByteBuffer SerializeMessage(const google::protobuf::MessageLite& message);

// The client of a call. All clients of a Unix socket have the peer "unix".
//
// If one of `proxies` forwarded the call, its metadata tells address and
// certificate of the client (x-forwarded-for, x-client-subject). Without a
// valid x-forwarded-for the proxy itself is the client. The metadata of other
// peers is ignored, and a certificate is that of the connection.
Caller CallerOf(const grpc::ServerContextBase& rpc, absl::string_view method,
                const TrustedProxies& proxies);

// Returns the request's id with the status. It is trailing metadata, because
// leading metadata would begin the answer, and gRPC's clients do not retry a
// call whose answer has begun.
void AddRequestId(const std::string& request_id, grpc::ServerContextBase* rpc);

// If the status is RESOURCE_EXHAUSTED, tells gRPC's retries how long to wait.
// Call it before the call is finished.
void AddPushback(const absl::Status& status, grpc::ServerContextBase* rpc);

// The codes are the same. The details tell programs what the message tells
// people: the field that is wrong (FieldOf), and when to retry.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace sheaf
