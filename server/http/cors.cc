// SPDX-License-Identifier: Apache-2.0

#include "server/http/cors.h"

#include <string>

namespace sheaf {

void AddCorsFields(const CorsOrigins& origins, const HttpHeader& request,
                   HttpFields& answer) {
  if (origins.is_empty()) return;
  const absl::string_view origin = request.Field("origin");
  if (!origins.is_any()) answer.emplace_back("Vary", "Origin");
  if (origin.empty() || !origins.Includes(origin)) return;
  answer.emplace_back("Access-Control-Allow-Origin",
                      origins.is_any() ? "*" : std::string(origin));
  answer.emplace_back("Access-Control-Expose-Headers", "X-Request-Id");
}

void AddPreflightFields(const CorsOrigins& origins, absl::string_view methods,
                        HttpFields& answer) {
  if (origins.is_empty()) return;
  answer.emplace_back("Access-Control-Allow-Methods", std::string(methods));
  answer.emplace_back("Access-Control-Allow-Headers",
                      "Authorization, Content-Type, X-Request-Id");
  answer.emplace_back("Access-Control-Max-Age", "86400");
}

}  // namespace sheaf
