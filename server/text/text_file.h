#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace sheaf {

// The bytes of a regular file of at most `max_bytes`. Errors name the file:
// NotFound if there is none, InvalidArgument if it is a directory, a pipe or a
// device (which is not waited for) or too large, else the system's reason.
absl::StatusOr<std::string> ReadRegularFile(const std::string& path,
                                            int64_t max_bytes);

}  // namespace sheaf
