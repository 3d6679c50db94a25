// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "text/terms/glossary.h"

namespace sheaf {

// Reads the text of a glossary file: UTF-8, possibly with a byte order mark;
// lines end with LF or CRLF. A line has a source term and 1..kMaxTargets target
// forms, separated by tabs. Blank lines, and lines that begin with '#', are
// comments.
//
// INVALID_ARGUMENT begins with the number of the line.
absl::StatusOr<std::shared_ptr<const Glossary>> ParseGlossary(
    absl::string_view text);

}  // namespace sheaf
