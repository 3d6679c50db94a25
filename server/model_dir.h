#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// Places where the models that come with the program may be, best first: below
// the working directory, in the source tree the program was built in, and where
// it was installed.
std::vector<std::string> EmbeddedModelDirs();

// The model directory that `path` means: itself if it has a config.json, or its
// only sub-directory that has one; of a repository in Hugging Face's cache the
// only one of its snapshots. NOT_FOUND says what is missing.
absl::StatusOr<std::string> ResolveModelDir(absl::string_view path);

// The same for a --model flag; an empty one means the embedded model.
absl::StatusOr<std::string> FindModelDir(absl::string_view flag);

// The name that a directory gives its model: "sheaf-small" of
// "/usr/share/sheaf/models/sheaf-small/", a symbolic link's own name, and
// "tiny-t5" of "models--acme--tiny-t5/snapshots/HASH" in Hugging Face's cache.
std::string ModelName(absl::string_view dir);

// INVALID_ARGUMENT unless `name` is 1 to 255 bytes of UTF-8 without control
// characters. The message says what is allowed, and begins with `what`.
absl::Status CheckModelName(absl::string_view what, absl::string_view name);

}  // namespace sheaf
