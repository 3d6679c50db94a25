// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "server/http/text_call.h"
#include "server/request_reader.h"

namespace sheaf {

// More texts in one request are refused.
inline constexpr size_t kMaxLibreTranslateTexts = 1000;

// Read the requests of /translate and /detect. `reader` is not owned.
std::function<absl::StatusOr<TextWork>(HttpRequest)> LibreTranslateReader(
    const RequestReader* reader, const RequestLimits& limits);
std::function<absl::StatusOr<TextWork>(HttpRequest)> LibreTranslateDetectReader(
    const RequestReader* reader);

}  // namespace sheaf
