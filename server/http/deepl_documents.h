// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "server/http/deepl_backend.h"
#include "server/http/http_router.h"

namespace sheaf {

// Adds the paths of DeepL's API for documents: /v2/document takes a file and
// answers with its id and key before the translation, /v2/document/{} tells the
// state, and /v2/document/{}/result gives the translated file once.
//
// Documents are in memory only. A document counts for --max_queued_bytes until
// it is translated, and its texts are requests of its caller like others.
void AddDeepLDocuments(const DeepLBackend& backend, const DeepLUsage& usage,
                       HttpRouter& router);

}  // namespace sheaf
