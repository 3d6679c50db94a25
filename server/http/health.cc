// SPDX-License-Identifier: Apache-2.0

#include "server/http/health.h"

#include <memory>
#include <utility>

#include "server/http/json_text.h"
#include "server/http/plain_call.h"

namespace sheaf {

void AddHealth(std::function<bool()> is_serving, HttpRouter& router) {
  const auto answer = [is_serving = std::move(is_serving)](
                          const HttpRequest&) -> absl::StatusOr<HttpResponse> {
    if (!is_serving()) return absl::UnavailableError("the server is draining");
    return HttpResponse::Json(200, JsonText({{"status", "ok"}}));
  };
  router.Add({"GET", "/health", [answer](HttpCallContext context) {
                return std::make_shared<PlainCall>(std::move(context),
                                                   /*limiter=*/nullptr, answer,
                                                   PlainError);
              }});
}

}  // namespace sheaf
