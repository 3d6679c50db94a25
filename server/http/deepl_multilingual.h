// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>

#include "server/exchange.h"
#include "server/http/deepl_glossary_backend.h"
#include "server/http/http_router.h"

namespace sheaf {

// Adds /v3/glossaries of DeepL's API, whose glossaries have several
// dictionaries that can be changed. `services` is not owned and outlives the
// router's calls.
void AddDeepLMultilingual(const Services& services,
                          const std::shared_ptr<const GlossaryBackend>& backend,
                          HttpRouter& router);

}  // namespace sheaf
