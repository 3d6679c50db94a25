// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "server/exchange.h"
#include "server/http/http_router.h"
#include "server/http/text_call.h"
#include "server/request_reader.h"

namespace sheaf {

// POST /v1/completions in OpenAI's form, for Generate with a text.
//
// "model", "prompt", "max_tokens", "temperature", "top_p", "seed", "stop",
// "stream" and "stream_options" have OpenAI's meaning, except that an absent
// temperature is the model's default, and not 1. "user" is ignored. Parameters
// that would change the answer and are not offered (such as "n" above 1 or
// "logprobs") are refused.
//
// Reads its requests. `reader` is not owned.
std::function<absl::StatusOr<TextWork>(HttpRequest)> CompletionsReader(
    const RequestReader* reader, const std::string& model_name);

// `services` is not owned and outlives the router's calls.
void AddCompletions(const Services& services, const std::string& model_name,
                    HttpRouter& router);

}  // namespace sheaf
