// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "nlohmann/json.hpp"
#include "server/caller_glossaries.h"
#include "server/exchange.h"
#include "server/http/http_router.h"

namespace sheaf {

// Adds the paths of DeepL's API for the glossaries of callers:
//   - /v2/glossary-language-pairs
//   - /v2/glossaries, whose glossaries have one pair of languages each
//   - /v3/glossaries, with several dictionaries that can be changed
// Glossaries with one dictionary are on both, whichever path created them.
//
// `glossaries` may be null; then none can be created. `services` and
// `glossaries` are not owned and outlive the router's calls. `languages` is
// that of LibreTranslateLanguages().
void AddDeepLGlossaries(const Services& services, CallerGlossaries* glossaries,
                        const nlohmann::json& languages, HttpRouter& router);

}  // namespace sheaf
