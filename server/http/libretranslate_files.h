// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/http/file_store.h"
#include "server/http/http_router.h"
#include "server/http/text_call.h"
#include "server/request_reader.h"

namespace sheaf {

// Reads the requests of /translate_file. The translated file waits in `store`.
// `reader` is not owned.
std::function<absl::StatusOr<TextWork>(HttpRequest)> LibreTranslateFileReader(
    const RequestReader* reader, std::shared_ptr<FileStore> store);

// Adds /download_file/{}, which needs no token.
void AddDownloads(std::shared_ptr<FileStore> store, HttpRouter& router);

}  // namespace sheaf
