// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "server/exchange.h"
#include "server/http/http_router.h"
#include "server/request_reader.h"
#include "server/served_model.h"

namespace sheaf {

// Adds the paths of LibreTranslate's API, for clients that are configured with
// its URL: /translate, /detect, /languages, /frontend/settings and /suggest.
//
// What differs from LibreTranslate: a parameter that it does not know is
// refused, language codes are BCP 47 tags, and the token (api_key) may also be
// in the field Authorization.
//
// `needs_token` tells clients whether they must send one. `services` is not
// owned and outlives the router's calls.
void AddLibreTranslate(const Services& services, const ServedModel& model,
                       const RequestLimits& limits, bool needs_token,
                       HttpRouter& router);

}  // namespace sheaf
