// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/http/body_fields.h"
#include "server/http/text_call.h"
#include "server/request_reader.h"

namespace sheaf {

// More texts in one request are refused.
inline constexpr size_t kMaxLibreTranslateTexts = 1000;

// The string of a parameter that must be there. The error is LibreTranslate's.
absl::StatusOr<std::string> RequiredString(const BodyFields& fields,
                                           absl::string_view name);
// The token; empty if there is none. A published client sends it as "apiKey".
absl::StatusOr<std::string> LibreTranslateKey(const BodyFields& fields);

// Read the requests of /translate and /detect. `reader` is not owned.
std::function<absl::StatusOr<TextWork>(HttpRequest)> LibreTranslateReader(
    const RequestReader* reader, const RequestLimits& limits);
std::function<absl::StatusOr<TextWork>(HttpRequest)> LibreTranslateDetectReader(
    const RequestReader* reader);

}  // namespace sheaf
