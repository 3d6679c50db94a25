// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>

#include "server/exchange.h"
#include "server/http/file_store.h"
#include "server/http/http_router.h"
#include "server/request_reader.h"

namespace sheaf {

// Adds the paths of LibreTranslate's API, for clients that are configured with
// its URL: /translate, /translate_file with /download_file/{}, /detect,
// /languages, /frontend/settings and /suggest.
//
// As in LibreTranslate, a parameter that is not known is ignored, because
// clients send some ("secret"). What differs: language codes are BCP 47 tags,
// and the token (api_key) may also be in the field Authorization.
//
// `needs_token` tells clients whether they must send one. Translated files wait
// in `files`. `services` is not owned and outlives the router's calls.
void AddLibreTranslate(const Services& services, const RequestLimits& limits,
                       bool needs_token,
                       const std::shared_ptr<FileStore>& files,
                       HttpRouter& router);

}  // namespace sheaf
