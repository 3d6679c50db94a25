// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "nlohmann/json.hpp"
#include "server/request_reader.h"
#include "text/tasks.h"

namespace sheaf {

// The answer of /languages: each language from or to which the model
// translates, with the tags of those to which it translates from it.
//   [{"code": "en", "name": "English", "targets": ["de"]},
//    {"code": "de", "name": "German", "targets": []}]
// There are languages that are only targets, because clients ask for a target
// only if it is listed.
nlohmann::json LibreTranslateLanguages(const ModelTasks& tasks);

// The answer of /frontend/settings. `languages` is that of /languages.
nlohmann::json LibreTranslateSettings(const nlohmann::json& languages,
                                      const RequestLimits& limits,
                                      bool needs_token);

}  // namespace sheaf
