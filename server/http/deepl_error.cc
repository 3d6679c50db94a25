// SPDX-License-Identifier: Apache-2.0

#include "server/http/deepl_error.h"

#include <string>

#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "server/field_error.h"
#include "server/http/http_status.h"
#include "server/http/json_text.h"

namespace sheaf {
namespace {

int StatusOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
      return 403;
    case absl::StatusCode::kUnimplemented:
      return 400;
    default:
      return HttpStatusOf(status);
  }
}

}  // namespace

HttpResponse DeepLError(const absl::Status& status) {
  const std::string field = FieldOf(status);
  const bool is_source = field == "source_language";
  nlohmann::json body;
  if (field == "glossary") {
    return HttpResponse::Json(
        404, JsonText({{"message", "Glossary not found"},
                       {"detail", std::string(status.message())}}));
  }
  if (is_source || field == "target_language" ||
      absl::IsUnimplemented(status)) {
    // The words of DeepL; clients show the detail too.
    body = {
        {"message", absl::StrFormat("Value for '%s' not supported.",
                                    is_source ? "source_lang" : "target_lang")},
        {"detail", std::string(status.message())}};
  } else {
    body = {{"message", std::string(status.message())}};
  }
  return HttpResponse::Json(StatusOf(status), JsonText(body));
}

}  // namespace sheaf
