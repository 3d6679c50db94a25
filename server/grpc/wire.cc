// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/wire.h"

#include <grpc/grpc_security_constants.h>
#include <grpc/impl/codegen/compression_types.h>
#include <grpcpp/security/auth_context.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "server/field_error.h"
#include "server/grpc/grpc_time.h"
#include "server/grpc/inflate.h"

namespace sheaf {
namespace {

// How long a client should wait after RESOURCE_EXHAUSTED.
constexpr absl::Duration kRetryDelay = absl::Milliseconds(500);
// Read by the retries of gRPC's clients.
constexpr char kRetryPushbackKey[] = "grpc-retry-pushback-ms";
// Both metadata that a client may send and trailing metadata of the answer.
constexpr char kRequestIdKey[] = "x-request-id";
// Metadata of trusted proxies: the client's address, and the subject of its
// certificate, which the proxy has verified.
constexpr char kForwardedForKey[] = "x-forwarded-for";
constexpr char kClientSubjectKey[] = "x-client-subject";
// Longer subjects are not used.
constexpr size_t kMaxSubjectBytes = 512;

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

// gRPC's public interface tells only a reader the compression of a message.
class CompressionReader final : public grpc::ProtoBufferReader {
 public:
  using ProtoBufferReader::ProtoBufferReader;
  grpc_compression_algorithm algorithm() {
    return reader()->buffer_in->data.raw.compression;
  }
};

// nullopt: the message is not compressed.
std::optional<Compression> CompressionOf(grpc::ByteBuffer* message) {
  switch (CompressionReader(message).algorithm()) {
    case GRPC_COMPRESS_GZIP:
      return Compression::kGzip;
    case GRPC_COMPRESS_DEFLATE:
      return Compression::kDeflate;
    default:
      return std::nullopt;
  }
}

// The values of a key, in the order in which they were sent.
std::vector<absl::string_view> ValuesOf(const grpc::ServerContextBase& rpc,
                                        absl::string_view key) {
  std::vector<absl::string_view> values;
  const auto range = rpc.client_metadata().equal_range(
      grpc::string_ref(key.data(), key.size()));
  for (auto it = range.first; it != range.second; ++it) {
    values.emplace_back(it->second.data(), it->second.size());
  }
  return values;
}

// The only value if it can be a subject as RFC 4514 writes it: printable ASCII.
// Several values mean that a proxy did not overwrite what its client sent.
std::string CheckedSubject(const std::vector<absl::string_view>& values) {
  if (values.size() != 1 || values[0].size() > kMaxSubjectBytes ||
      !std::all_of(values[0].begin(), values[0].end(), absl::ascii_isprint)) {
    return "";
  }
  return std::string(values[0]);
}

// The subject of the certificate that the connection's client has shown.
std::string SubjectOfConnection(const grpc::ServerContextBase& rpc) {
  const std::shared_ptr<const grpc::AuthContext> tls = rpc.auth_context();
  if (tls == nullptr) return "";
  std::vector<absl::string_view> values;
  for (const grpc::string_ref& value :
       tls->FindPropertyValues(GRPC_X509_SUBJECT_PROPERTY_NAME)) {
    values.emplace_back(value.data(), value.size());
  }
  return CheckedSubject(values);
}

}  // namespace

absl::StatusOr<std::string> TakeMessage(grpc::ByteBuffer* message,
                                        int64_t max_bytes) {
  std::vector<grpc::Slice> slices;
  const auto num_bytes = static_cast<int64_t>(message->Length());
  if (!message->Dump(&slices).ok() || num_bytes == 0) return "";
  const std::optional<Compression> compression = CompressionOf(message);
  message->Clear();  // the slices keep the bytes
  if (!compression.has_value() && num_bytes > max_bytes) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "the message has %d bytes; this RPC receives at most %d", num_bytes,
        max_bytes));
  }
  std::vector<absl::string_view> parts;
  parts.reserve(slices.size());
  for (const grpc::Slice& slice : slices) {
    parts.emplace_back(reinterpret_cast<const char*>(slice.begin()),
                       slice.size());
  }
  if (compression.has_value()) return Inflate(*compression, parts, max_bytes);
  return absl::StrJoin(parts, "");
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

Caller CallerOf(const grpc::ServerContextBase& rpc, absl::string_view method,
                const TrustedProxies& proxies) {
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
  std::optional<IpAddress> address = IpAddress::OfPeer(caller.peer);
  if (proxies.IncludesPeer(caller.peer)) {
    const std::optional<IpAddress> client =
        proxies.ClientOf(absl::StrJoin(ValuesOf(rpc, kForwardedForKey), ","));
    if (client.has_value()) {
      address = client;
      caller.peer = client->ToPeer();
    }
    caller.certificate_subject =
        CheckedSubject(ValuesOf(rpc, kClientSubjectKey));
  } else {
    caller.certificate_subject = SubjectOfConnection(rpc);
  }
  caller.address =
      address.has_value() ? ClientNetworkName(*address) : caller.peer;
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
