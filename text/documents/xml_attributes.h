// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace sheaf {

// Returns a start tag of XML (or an empty-element tag) in which the attribute
// has the value. Everything else stays. REQUIRES: `tag` is well-formed, and
// `value` needs no escapes.
std::string WithAttribute(absl::string_view tag, absl::string_view name,
                          absl::string_view value);

}  // namespace sheaf
