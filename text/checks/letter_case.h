// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace sheaf {

// The text in lower case, by the rules of a language (BCP 47). REQUIRES: `text`
// is UTF-8.
std::string ToLowerCase(absl::string_view text, absl::string_view language);

}  // namespace sheaf
