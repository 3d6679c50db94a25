// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "nlohmann/json.hpp"

// The description of /v1/completions in an OpenAPI 3.1 document. The other
// paths of the document come from sheaf.v1, which does not have this one.
namespace sheaf {

// The item of the path.
nlohmann::json CompletionsPathItem();

// Adds the schemas to which it refers.
void AddCompletionsSchemas(nlohmann::json& schemas);

}  // namespace sheaf
