// SPDX-License-Identifier: Apache-2.0

#include "server/http/http_call.h"

#include "nlohmann/json.hpp"
#include "server/http/http_status.h"
#include "server/http/json_text.h"

namespace sheaf {

HttpResponse PlainError(const absl::Status& status) {
  return HttpResponse::Json(
      HttpStatusOf(status),
      JsonText({{"error", std::string(status.message())}}));
}

}  // namespace sheaf
