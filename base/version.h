// SPDX-License-Identifier: Apache-2.0

#pragma once

namespace sheaf {

// Identifies the build. Standard library only, so that the trainer can include
// it.
const char* Version();   // of the project: "0.1.0"
const char* Commit();    // of Git, 12 digits; "unknown" in a build of a tarball
const char* Compiler();  // "GNU 12.2.0"

}  // namespace sheaf
