// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// Checks whether the process can get what a program needs. gRPC and other
// libraries abort or hang if a thread or a descriptor is missing, so programs
// check before they use them. Errors are FAILED_PRECONDITION and name the
// limits that may be the cause. `who` is the program in messages: "the server".

// Starts `num_threads` threads for a moment.
absl::Status CheckThreads(absl::string_view who, int32_t num_threads);

// Opens `num_files` more descriptors for a moment.
absl::Status CheckFreeDescriptors(absl::string_view who, int32_t num_files);

// Whether the address space is limited (ulimit -v).
bool HasAddressSpaceLimit();

}  // namespace sheaf
