// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

namespace sheaf {

// A text that differs between states of a file; empty if there is no such file.
// A file that was replaced, or whose permissions changed, has another stamp.
std::string FileStamp(const std::string& path);

}  // namespace sheaf
