// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/status/status.h"
#include "server/http/http_message.h"

namespace sheaf {

// An error as DeepL's API reports it: {"message": "..."}, and "detail" where
// the message is in DeepL's words. A wrong token is 403, a language that the
// model does not have is 400, and an unknown glossary or document 404.
HttpResponse DeepLError(const absl::Status& status);

}  // namespace sheaf
