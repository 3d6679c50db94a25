// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "nlohmann/json.hpp"

namespace sheaf {

// The text of a value. Bytes that are not UTF-8 become U+FFFD, so that it never
// fails.
inline std::string JsonText(const nlohmann::json& value) {
  return value.dump(-1, ' ', /*ensure_ascii=*/false,
                    nlohmann::json::error_handler_t::replace);
}

}  // namespace sheaf
