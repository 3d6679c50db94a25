#pragma once

#include <grpcpp/server_context.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/monotonic_time.h"
#include "server/ops/log.h"
#include "server/reply.h"

namespace sheaf {

// What the log says of a request, at its end: never its text, nor its answer's.
struct RequestRecord {
  std::string request_id;   // the caller's, or made here
  std::string traceparent;  // the caller's (W3C Trace Context); empty: none
  std::string method;       // "sheaf.v1.TextService/Translate"
  std::string peer;         // gRPC's: "ipv4:192.0.2.1:12345"
  std::string token_name;   // empty: the server asks for no token
  std::string model;
  MonotonicTime arrival;
  std::optional<absl::Duration> queued;  // none: it never left the queue
  std::optional<MonotonicTime> first_token;
  grpc::StatusCode code = grpc::StatusCode::OK;
  AnswerSummary summary;  // of an answer that is whole
};

// What is known on arrival. A caller's id is taken if it is 1 to 128 printable
// ASCII characters, its traceparent if it has the form of one.
RequestRecord ArrivalOf(const grpc::ServerContextBase& rpc,
                        absl::string_view method);

// The call's metadata of that name, the first if there are several. Valid as
// long as the call.
std::optional<absl::string_view> MetadataOf(const grpc::ServerContextBase& rpc,
                                            absl::string_view key);

// Writes the record as an event "request". Null: there is no log.
void WriteRecord(const RequestRecord& record, Log* log);

}  // namespace sheaf
