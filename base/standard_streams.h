// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sheaf {

// Opens /dev/null for each of the descriptors 0, 1 and 2 that is closed at the
// start of the program. Otherwise a socket or file could get its number and
// receive messages for the user. It is read-only, so that writing still fails.
//
// gRPC's constructors open descriptors. A program therefore runs this first:
//   [[gnu::section(".preinit_array"), gnu::used]]
//   void (*const kBeforeLibraries)() = FillStandardStreams;
void FillStandardStreams();

// Writes `text` to a descriptor, which may be non-blocking. Returns false if it
// could not write all of it, because of an error (in errno) or because a reader
// made no room within `timeout`. If SIGPIPE is not ignored, a closed pipe ends
// the process.
bool WriteWithin(int fd, absl::string_view text, absl::Duration timeout);

}  // namespace sheaf
