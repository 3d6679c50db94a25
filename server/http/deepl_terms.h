// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/caller_glossaries.h"
#include "server/http/text_call.h"
#include "server/request_reader.h"
#include "sheaf/v1/text.pb.h"
#include "text/terms/glossary.h"

// The terms of a request of DeepL's API.
namespace sheaf {

// A translation with the terms of `glossary`, or with those that the request
// names if it is null. `reader` is not owned.
TextWork::Item TranslationItem(const RequestReader* reader,
                               v1::TranslateRequest request,
                               std::shared_ptr<const Glossary> glossary);

// Takes the glossary that a request names, if it is one of the caller's, out of
// the request, and returns its terms. Null: the request names none, or one that
// is not the caller's, such as one of the server (--glossaries). NOT_FOUND if
// it has no dictionary for the languages.
absl::StatusOr<std::shared_ptr<const Glossary>> TakeCallerGlossary(
    const CallerGlossaries* glossaries, absl::string_view caller,
    v1::TranslateRequest& request);

}  // namespace sheaf
