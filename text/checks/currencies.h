// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "text/marks.h"

namespace sheaf {

// Appends the currency signs of `text` that `other` has less often. A sign may
// be a code or a name there: "$" is also "USD" and, in German, "Dollar".
// `language` is that of `other`, as a BCP 47 tag. REQUIRES: both are UTF-8.
void AppendCurrencyDifferences(absl::string_view text, absl::string_view other,
                               absl::string_view language,
                               std::vector<TextRange>& ranges);

}  // namespace sheaf
