// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "nlohmann/json.hpp"
#include "server/http/form_body.h"
#include "server/http/http_call.h"

namespace sheaf {

// The named values of a request, whatever the form of its body: an object of
// JSON, a form, or a form in several parts (RFC 7578). With a form, the query
// counts too.
//
// Each value of a form is a string; names that are there several times have an
// array of strings.
struct BodyFields {
  nlohmann::json values = nlohmann::json::object();
  FormFields files;
  bool is_json = false;

  // Null: not there.
  const nlohmann::json* Find(absl::string_view name) const;
  // The string of this name; empty if there is none. INVALID_ARGUMENT if it is
  // another kind of value.
  absl::StatusOr<std::string> String(absl::string_view name) const;
};

// The status of HTTP (HttpStatusOf()) is 415 if the content type is none of
// these, the charset is not UTF-8, or the content is encoded. INVALID_ARGUMENT
// if the body is malformed, has a key twice, or one that is not in `names`.
absl::StatusOr<BodyFields> ReadBodyFields(
    const HttpRequest& request, absl::Span<const absl::string_view> names);

// An object of JSON, strictly read; otherwise as above.
absl::StatusOr<nlohmann::json> ReadJsonBody(const HttpRequest& request);

}  // namespace sheaf
