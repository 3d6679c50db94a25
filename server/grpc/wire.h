#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// Keeps protobuf from writing to stderr what strangers send: from now on its
// messages go to whoever parses. Call once, before any thread parses.
void RedirectProtobufLog();

// Parses what a client sent. INVALID_ARGUMENT if it is no such message; names
// the field if that is a string which is not UTF-8. gRPC itself would call
// either INTERNAL, as if it were our fault.
absl::Status ParseMessage(absl::string_view bytes,
                          google::protobuf::MessageLite* message);

// The bytes of a message that a handler was given, which has none afterwards:
// gRPC would keep them until the call ends. Empty if there is no message.
std::string TakeBytes(const grpc::ByteBuffer& message);

grpc::ByteBuffer SerializeMessage(const google::protobuf::MessageLite& message);

// Tells a client that is told RESOURCE_EXHAUSTED how long gRPC's own retries
// are to stay away. Before the call is finished.
void AddPushback(const absl::Status& status, grpc::ServerContextBase* rpc);

// Who calls, as "ipv4:192.0.2.1:12345". Each client of a Unix socket is "unix",
// because a name that it has there is its own choice.
std::string PeerOf(const grpc::ServerContextBase& rpc);

// Codes are the same one to one. Its details say for programs what the message
// says for people: the field that is wrong (FieldOf), and when to retry.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace sheaf
