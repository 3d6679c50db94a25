// SPDX-License-Identifier: Apache-2.0

#include "server/http/libretranslate_error.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "server/field_error.h"
#include "server/http/http_call.h"
#include "server/http/http_status.h"

namespace sheaf {
namespace {

// The parameter for a field of sheaf.v1.
absl::string_view ParameterOf(absl::string_view field) {
  if (field == "text" || field == "texts") return "q";
  if (field == "source_language") return "source";
  if (field == "target_language") return "target";
  if (field == "decoding.num_hypotheses" || field == "decoding.beam_size") {
    return "alternatives";
  }
  return field;
}

int StatusOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
      return 403;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kUnimplemented:
      return 400;
    default:
      return HttpStatusOf(status);
  }
}

}  // namespace

HttpResponse LibreTranslateError(const absl::Status& status) {
  std::string message(status.message());
  const std::string field = FieldOf(status);
  absl::string_view rest = message;
  if (!field.empty() && absl::ConsumePrefix(&rest, field)) {
    message = absl::StrCat(ParameterOf(field), rest);
  }
  return PlainError(
      WithHttpStatus(absl::Status(status.code(), message), StatusOf(status)));
}

}  // namespace sheaf
