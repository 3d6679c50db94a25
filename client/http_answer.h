// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "sheaf/v1/text.pb.h"

// The answers of a server's HTTP front, as far as a load generator reads them.
namespace sheaf {

// A message of an answer: a whole answer or one part of a stream.
struct HttpOutput {
  bool has_output = false;         // it has text or token ids
  std::optional<v1::Usage> usage;  // set in the last message only
};

// Reads a message in the JSON mapping of protobuf. INTERNAL if it is none.
absl::StatusOr<HttpOutput> ReadHttpOutput(absl::string_view json);

// The error of an answer whose status is not 200, or of an event "error". The
// code is that of the body (RFC 9457 with "code"), or else the one that gRPC's
// clients use for the status.
absl::Status HttpError(int http_status, absl::string_view body);

// Splits server-sent events that arrive in pieces of any size.
class EventReader {
 public:
  struct Event {
    std::string name;  // empty: no name
    std::string data;
  };

  void Append(absl::string_view bytes) { absl::StrAppend(&bytes_, bytes); }
  // Returns the next event, or nothing until more bytes arrive.
  std::optional<Event> Next();

 private:
  std::string bytes_;
  size_t begin_ = 0;  // of the next event
};

}  // namespace sheaf
