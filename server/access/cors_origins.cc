// SPDX-License-Identifier: Apache-2.0

#include "server/access/cors_origins.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace sheaf {
namespace {

// "https://example.org:8443": a scheme and a host, without a path.
bool IsOrigin(absl::string_view text) {
  if (!absl::ConsumePrefix(&text, "https://") &&
      !absl::ConsumePrefix(&text, "http://")) {
    return false;
  }
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("-.:[]_", c);
  });
}

}  // namespace

absl::StatusOr<CorsOrigins> CorsOrigins::Parse(absl::string_view list) {
  CorsOrigins origins;
  if (list.empty()) return origins;
  if (list == "*") {
    origins.is_any_ = true;
    return origins;
  }
  for (absl::string_view entry : absl::StrSplit(list, ',')) {
    entry = absl::StripAsciiWhitespace(entry);
    if (!IsOrigin(entry)) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "--http_cors_origin has \"%s\"; allowed is \"*\", or origins such as "
          "https://weblate.example.org, separated by commas",
          absl::CHexEscape(entry)));
    }
    origins.origins_.emplace_back(entry);
  }
  return origins;
}

bool CorsOrigins::Includes(absl::string_view origin) const {
  return is_any_ ||
         std::find(origins_.begin(), origins_.end(), origin) != origins_.end();
}

}  // namespace sheaf
