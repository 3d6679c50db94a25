// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "server/exchange.h"
#include "server/http/http_router.h"
#include "sheaf/v1/model.pb.h"

namespace sheaf {

// Adds the methods of sheaf.v1 with its messages in JSON: /v1/translate,
// /v1/summarize, /v1/generate and /v1/detect (POST), /v1/models and
// /v1/models/{} (GET), and /openapi.json, which describes them.
//
// A text is streamed as server-sent events if the client accepts
// text/event-stream. Each event is a chunk; the last one has the finish reason.
// An event named "error" ends an answer that cannot be finished. Errors have
// the form of RFC 9457.
//
// `services` is not owned and outlives the router's calls.
void AddRest(const Services& services, const v1::Model& model,
             HttpRouter& router);

}  // namespace sheaf
