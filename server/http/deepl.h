// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "server/http/deepl_backend.h"
#include "server/http/http_router.h"
#include "server/http/text_call.h"
#include "server/request_reader.h"

namespace sheaf {

// Adds the paths of DeepL's API that this server has, for clients that are
// configured with its URL: /v2/translate, /v2/languages, /v2/usage, and those
// of AddDeepLGlossaries() and AddDeepLDocuments(). The token is the key of
// "Authorization: DeepL-Auth-Key KEY".
void AddDeepL(const DeepLBackend& backend, HttpRouter& router);

// Reads requests to /translate in the form of DeepLX: {"text": "...",
// "source_lang": "EN", "target_lang": "DE"}. `reader` is not owned.
std::function<absl::StatusOr<TextWork>(HttpRequest)> DeepLXReader(
    const RequestReader* reader);

}  // namespace sheaf
