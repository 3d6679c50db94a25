// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// Where the models that come with the program may be, best first: below the
// working directory, in the source tree in which the program was built, and in
// the place where it was installed.
std::vector<std::string> EmbeddedModelDirs();

// The model directory that `path` means: `path` itself if it has a config.json,
// or its only sub-directory that has one, or the only snapshot of a repository
// in Hugging Face's cache. NOT_FOUND names what is missing.
absl::StatusOr<std::string> ResolveModelDir(absl::string_view path);

// The same for a --model flag; an empty one means the embedded model.
absl::StatusOr<std::string> FindModelDir(absl::string_view flag);

// The name that a directory gives its model: "sheaf-small" of
// "/usr/share/sheaf/models/sheaf-small/", a symbolic link's own name, and
// "tiny-t5" of "models--acme--tiny-t5/snapshots/HASH" in Hugging Face's cache.
std::string ModelName(absl::string_view dir);

// INVALID_ARGUMENT unless `name` is 1 to 255 bytes of UTF-8 without control
// characters. The message begins with `what` and tells what is allowed.
absl::Status CheckModelName(absl::string_view what, absl::string_view name);

}  // namespace sheaf
