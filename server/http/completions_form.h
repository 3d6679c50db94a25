// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/answer_part.h"
#include "server/http/http_message.h"
#include "server/http/text_call.h"

// The answers of /v1/completions.
namespace sheaf {

// What all parts of an answer have.
struct CompletionId {
  std::string id;       // "cmpl-..."
  int64_t created = 0;  // seconds since 1970
  std::string model;
};

HttpResponse CompletionAnswer(const CompletionId& id, const TextAnswer& answer);
std::shared_ptr<const StreamForm> CompletionEvents(const CompletionId& id,
                                                   bool has_usage);
// {"error": {"message": ..., "type": ..., "param": ..., "code": ...}}
HttpResponse CompletionError(const absl::Status& status);

}  // namespace sheaf
