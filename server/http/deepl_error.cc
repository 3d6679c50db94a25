// SPDX-License-Identifier: Apache-2.0

#include "server/http/deepl_error.h"

#include <string>

#include "nlohmann/json.hpp"
#include "server/field_error.h"
#include "server/http/http_status.h"
#include "server/http/json_text.h"

namespace sheaf {
namespace {

// DeepL's words for an error; empty if it has none.
struct KnownError {
  int http_status = 400;
  const char* message = "";
};

KnownError KnownErrorOf(const absl::Status& status) {
  const std::string field = FieldOf(status);
  if (field == "glossary") return {404, "Glossary not found"};
  if (field == "document") return {404, "Document not found"};
  if (field == "file") return {400, "Invalid file data."};
  if (field == "entries") return {400, "Invalid glossary entries provided"};
  if (field == "language_pair") {
    return {400, "Unsupported glossary source and target language pair"};
  }
  if (field == "source_language") {
    return {400, "Value for 'source_lang' not supported."};
  }
  if (field == "target_language" || absl::IsUnimplemented(status)) {
    return {400, "Value for 'target_lang' not supported."};
  }
  return {};
}

}  // namespace

HttpResponse DeepLError(const absl::Status& status) {
  const std::string text(status.message());
  // Clients show the detail too.
  if (const KnownError known = KnownErrorOf(status); *known.message != '\0') {
    return HttpResponse::Json(
        known.http_status,
        JsonText({{"message", known.message}, {"detail", text}}));
  }
  return HttpResponse::Json(
      absl::IsUnauthenticated(status) ? 403 : HttpStatusOf(status),
      JsonText({{"message", text}}));
}

}  // namespace sheaf
