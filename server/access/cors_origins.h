// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// The web pages that may read answers of HTTP in a browser (Fetch, "CORS
// protocol"), by their origins.
class CorsOrigins {
 public:
  CorsOrigins() = default;  // none
  // "*", or origins ("https://weblate.example.org"), separated by commas.
  // INVALID_ARGUMENT names --http_cors_origin, the entry and what is allowed.
  static absl::StatusOr<CorsOrigins> Parse(absl::string_view list);

  bool is_empty() const { return !is_any_ && origins_.empty(); }
  bool is_any() const { return is_any_; }
  bool Includes(absl::string_view origin) const;

 private:
  bool is_any_ = false;
  std::vector<std::string> origins_;
};

}  // namespace sheaf
