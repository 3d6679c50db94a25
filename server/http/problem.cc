// SPDX-License-Identifier: Apache-2.0

#include "server/http/problem.h"

#include "nlohmann/json.hpp"
#include "server/field_error.h"
#include "server/http/http_status.h"
#include "server/http/json_text.h"

namespace sheaf {

std::string ProblemText(const absl::Status& status) {
  const int http_status = HttpStatusOf(status);
  nlohmann::json problem = {{"type", "about:blank"},
                            {"title", std::string(ReasonOf(http_status))},
                            {"status", http_status},
                            {"detail", std::string(status.message())},
                            {"code", absl::StatusCodeToString(status.code())}};
  if (const std::string field = FieldOf(status); !field.empty()) {
    problem["field"] = field;
  }
  return JsonText(problem);
}

HttpResponse ProblemResponse(const absl::Status& status) {
  return {HttpStatusOf(status), "application/problem+json",
          ProblemText(status)};
}

}  // namespace sheaf
