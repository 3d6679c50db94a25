// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "text/marks.h"

namespace sheaf {

// The ranges of a message of ICU's MessageFormat that are to be translated by
// themselves: the texts between its plural and select arguments, and those of
// their branches, at all levels. Simple arguments ("{name}") stay within them.
// Empty if `text` has no plural or select argument, or is not well-formed.
std::vector<TextRange> MessageTexts(absl::string_view text);

}  // namespace sheaf
