#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// The language of a BCP 47 tag in its shortest form: "de" for "de-AT", "DE" and
// "deu". INVALID_ARGUMENT, with `field` and the tag in the message, if the tag
// is malformed or its language is none that ICU knows.
absl::StatusOr<std::string> ParseLanguage(absl::string_view field,
                                          absl::string_view tag);

}  // namespace sheaf
