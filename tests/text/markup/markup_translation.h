// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "text/alignment.h"
#include "text/markup/markup.h"

namespace sheaf {

struct TestTranslation {
  std::string text;
  TextAlignment alignment;
};

// Translates a segment.
using TestTranslator =
    std::function<TestTranslation(absl::string_view segment)>;

// Translates a text with markup as the server does. Segments end after ". ".
absl::StatusOr<std::string> TranslateMarkup(absl::string_view text,
                                            TextFormat format,
                                            const MarkupOptions& options,
                                            const TestTranslator& translate);

// Aligns each byte with itself.
TestTranslation CopySegment(absl::string_view segment);

}  // namespace sheaf
