// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// A field of a form. A file has a name too.
struct FormField {
  std::string name;
  std::string value;
  bool is_file = false;
  std::string file_name = "";
};
using FormFields = std::vector<FormField>;

// More fields are refused.
inline constexpr size_t kMaxFormFields = 2000;

// Parses application/x-www-form-urlencoded (WHATWG URL, section 5.1), as in a
// query or a body: "q=a+b&source=en". INVALID_ARGUMENT if an escape is
// malformed or a name or value is not UTF-8.
absl::StatusOr<FormFields> ParseUrlEncoded(absl::string_view text);

// Parses multipart/form-data (RFC 7578). INVALID_ARGUMENT if a part is
// malformed, if the last boundary or a name is missing, or if a name or a value
// that is not a file's is not UTF-8. REQUIRES: `boundary` is not empty.
absl::StatusOr<FormFields> ParseMultipart(absl::string_view body,
                                          absl::string_view boundary);

}  // namespace sheaf
