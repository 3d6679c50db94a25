#include "server/wire.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "engine/check.h"

namespace sheaf {
namespace {

// What protobuf last complained of on this thread.
thread_local std::string protobuf_complaint;

void KeepComplaint(google::protobuf::LogLevel, const char*, int,
                   const std::string& message) {
  protobuf_complaint = message;
}

// The field in "String field 'sheaf.v1.TranslateRequest.text' contains invalid
// UTF-8 data ...", without the package; empty if protobuf said another thing.
std::string FieldThatIsNotUtf8(absl::string_view complaint) {
  constexpr absl::string_view kBefore = "String field '";
  constexpr absl::string_view kPackage = "sheaf.v1.";
  const size_t begin = complaint.find(kBefore);
  if (begin == absl::string_view::npos) return "";
  absl::string_view name = complaint.substr(begin + kBefore.size());
  name = name.substr(0, name.find('\''));
  if (name.substr(0, kPackage.size()) == kPackage) {
    name.remove_prefix(kPackage.size());
  }
  return std::string(name);
}

}  // namespace

void TakeProtobufLog() { google::protobuf::SetLogHandler(&KeepComplaint); }

absl::Status ParseMessage(const grpc::ByteBuffer& bytes,
                          google::protobuf::MessageLite* message) {
  std::vector<grpc::Slice> slices;
  std::string joined;
  if (!bytes.Dump(&slices).ok()) {
    return absl::InvalidArgumentError("the request has no message");
  }
  joined.reserve(bytes.Length());
  for (const grpc::Slice& slice : slices) {
    joined.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  protobuf_complaint.clear();
  if (message->ParseFromString(joined)) return absl::OkStatus();
  const std::string field = FieldThatIsNotUtf8(protobuf_complaint);
  if (!field.empty()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s is not valid UTF-8", field));
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("the request's %d bytes are not a %s", joined.size(),
                      message->GetTypeName()));
}

grpc::ByteBuffer SerializeMessage(
    const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message()));
}

}  // namespace sheaf
