// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "server/glossaries.h"
#include "sheaf/v1/text.pb.h"
#include "text/terms/glossary.h"

namespace sheaf {

// The terms of a request's glossary_terms; null if it has none.
// INVALID_ARGUMENT names the field, its value and what is allowed.
absl::StatusOr<std::shared_ptr<const Glossary>> ReadGlossaryTerms(
    const v1::TranslateRequest& request);

// The glossary that a request names, for a translation from a language by its
// BCP 47 tag, which is empty if it is not known; null if it names none.
// `glossaries` may be null. Errors as above.
absl::StatusOr<std::shared_ptr<const Glossary>> FindGlossary(
    const v1::TranslateRequest& request, absl::string_view source_language,
    const Glossaries* glossaries);

}  // namespace sheaf
