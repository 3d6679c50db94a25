#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// Places where the models that come with the program may be, best first: below
// the working directory, in the source tree the program was built in, and where
// it was installed.
std::vector<std::string> EmbeddedModelDirs();

// The model directory that `path` means: itself if it has a config.json, or its
// only sub-directory that has one. NOT_FOUND says what is missing.
absl::StatusOr<std::string> ResolveModelDir(absl::string_view path);

// The same for a --model flag; an empty one means the embedded model.
absl::StatusOr<std::string> FindModelDir(absl::string_view flag);

// "sheaf-small" of "/usr/share/sheaf/models/sheaf-small/".
std::string ModelName(absl::string_view dir);

}  // namespace sheaf
