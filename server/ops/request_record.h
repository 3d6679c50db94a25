// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/monotonic_time.h"
#include "server/ops/log.h"

namespace sheaf {

// The line of the log about a request, written at its end. Contains neither the
// text of the request nor that of the answer.
struct RequestRecord {
  std::string request_id;           // RequestIdOr()
  std::string traceparent;          // CheckedTraceparent(); empty: none
  std::string method;               // "sheaf.v1.TextService/Translate"
  std::string peer;                 // Caller::peer
  std::string certificate_subject;  // printable ASCII; empty: no certificate
  std::string token_name;           // empty: the server requires no token
  std::string model;
  MonotonicTime arrival;
  std::optional<absl::Duration> queued;  // none: it never left the queue
  std::optional<MonotonicTime> first_token;
  absl::StatusCode code = absl::StatusCode::kOk;
  bool is_unread = false;  // the client did not read the answer
  // Usage of a whole answer; without one, all are 0.
  int32_t num_input_tokens = 0;
  int32_t num_output_tokens = 0;
  int32_t num_segments = 0;
  int64_t num_decodes_again = 0;  // of segments whose checks failed
  int64_t num_flagged = 0;        // segments whose answer has a warning
  std::string detected_language;  // of the only text; empty: none
};

// A client's id if it is 1 to 128 printable ASCII characters, else a new one.
std::string RequestIdOr(absl::string_view id);

// A client's traceparent (W3C Trace Context) if it has the right form, else "".
std::string CheckedTraceparent(absl::string_view traceparent);

// Writes the record as an event "request". `log` may be null: no line.
void WriteRecord(const RequestRecord& record, Log* log);

}  // namespace sheaf
