// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

namespace sheaf {

// The OpenAPI 3.1 document of AddRest(), made from the descriptors of sheaf.v1,
// and of AddCompletions().
std::string OpenApiText();

}  // namespace sheaf
