#include "server/grpc/wire.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "server/field_error.h"

namespace sheaf {
namespace {

// How long a client that is told RESOURCE_EXHAUSTED should stay away.
constexpr absl::Duration kRetryDelay = absl::Milliseconds(500);
// gRPC's own retries read it here.
constexpr char kRetryPushbackKey[] = "grpc-retry-pushback-ms";

// What protobuf last complained of on this thread.
thread_local std::string protobuf_complaint;

void KeepComplaint(google::protobuf::LogLevel, const char*, int,
                   const std::string& message) {
  protobuf_complaint = message;
}

// The path of the field in "String field 'sheaf.v1.TranslateRequest.text'
// contains invalid UTF-8 data ..."; empty if protobuf said another thing.
std::string FieldThatIsNotUtf8(absl::string_view complaint) {
  constexpr absl::string_view kBefore = "String field 'sheaf.v1.";
  const size_t begin = complaint.find(kBefore);
  if (begin == absl::string_view::npos) return "";
  absl::string_view name = complaint.substr(begin + kBefore.size());
  name = name.substr(0, name.find('\''));
  const absl::string_view message = name.substr(0, name.find('.'));
  const absl::string_view field = name.substr(name.find('.') + 1);
  return absl::StrCat(message == "DecodingOptions" ? "decoding." : "", field);
}

// A serialized google.rpc.Status; empty if there is nothing to add.
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

void RedirectProtobufLog() { google::protobuf::SetLogHandler(&KeepComplaint); }

absl::Status ParseMessage(absl::string_view bytes,
                          google::protobuf::MessageLite* message) {
  protobuf_complaint.clear();
  if (message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return absl::OkStatus();
  const std::string field = FieldThatIsNotUtf8(protobuf_complaint);
  if (!field.empty()) {
    return FieldError(absl::StatusCode::kInvalidArgument, field,
                      "is not valid UTF-8");
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("the request's %d bytes are not a %s", bytes.size(),
                      message->GetTypeName()));
}

std::string TakeBytes(const grpc::ByteBuffer& message) {
  std::string bytes;
  std::vector<grpc::Slice> slices;
  if (!message.Dump(&slices).ok()) return bytes;
  bytes.reserve(message.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  // The handler's parameter is const; the object is not.
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

std::string PeerOf(const grpc::ServerContextBase& rpc) {
  std::string peer = rpc.peer();
  return absl::StartsWith(peer, "unix") ? "unix" : peer;
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message()), DetailsOf(status));
}

}  // namespace sheaf
