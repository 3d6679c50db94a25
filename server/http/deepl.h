// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "server/exchange.h"
#include "server/http/http_router.h"
#include "server/http/text_call.h"
#include "server/request_reader.h"
#include "server/served_model.h"

namespace sheaf {

// Adds the paths of DeepL's API that this server has, for clients that are
// configured with its URL: /v2/translate, /v2/languages and /v2/usage. The
// token is the key of "Authorization: DeepL-Auth-Key KEY". `services` is not
// owned and outlives the router's calls.
void AddDeepL(const Services& services, const ServedModel& model,
              HttpRouter& router);

// Reads requests to /translate in the form of DeepLX: {"text": "...",
// "source_lang": "EN", "target_lang": "DE"}. `reader` is not owned.
std::function<absl::StatusOr<TextWork>(HttpRequest)> DeepLXReader(
    const RequestReader* reader);

}  // namespace sheaf
