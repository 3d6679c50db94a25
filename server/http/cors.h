// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/strings/string_view.h"
#include "server/access/cors_origins.h"
#include "server/http/http_message.h"

// The fields that let web pages read answers. Requests of other pages are
// answered all the same, because the browser keeps the answers from them.
namespace sheaf {

// Adds the fields for the page that asks, if it may read the answer.
void AddCorsFields(const CorsOrigins& origins, const HttpHeader& request,
                   HttpFields& answer);
// Adds what a browser asks before a request (OPTIONS). `methods` are those of
// the path.
void AddPreflightFields(const CorsOrigins& origins, absl::string_view methods,
                        HttpFields& answer);

}  // namespace sheaf
