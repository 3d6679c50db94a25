// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace sheaf {

// The English name of a BCP 47 tag: "German", "Chinese (Traditional)". The tag
// itself if ICU has no name for it.
std::string EnglishName(absl::string_view tag);

}  // namespace sheaf
