// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "text/markup/markup.h"
#include "text/markup/passage_builder.h"

namespace sheaf {

// Adds the texts and tags of an XML text to `builder`. Errors are those of
// ParseMarkup().
absl::Status ReadXml(absl::string_view text, const MarkupOptions& options,
                     absl::FunctionRef<bool()> is_wanted,
                     PassageBuilder& builder);

}  // namespace sheaf
