// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "nlohmann/json.hpp"
#include "server/request_reader.h"
#include "text/tasks.h"

namespace sheaf {

// The answer of /languages: each language from which the model translates, with
// the tags of those to which it does.
//   [{"code": "en", "name": "English", "targets": ["de"]}]
nlohmann::json LibreTranslateLanguages(const ModelTasks& tasks);

// The answer of /frontend/settings. `languages` is that of /languages.
nlohmann::json LibreTranslateSettings(const nlohmann::json& languages,
                                      const RequestLimits& limits,
                                      bool needs_token);

}  // namespace sheaf
