#pragma once

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sheaf {

// Opens /dev/null for each of the descriptors 0, 1 and 2 that the caller of the
// program closed, so that no socket or file takes its number and receives what
// is meant for people. Read-only, so that writing there fails as before.
//
// gRPC's constructors open descriptors. A program therefore runs this first:
//   [[gnu::section(".preinit_array"), gnu::used]]
//   void (*const kBeforeLibraries)() = FillStandardStreams;
void FillStandardStreams();

// Writes `text` to a descriptor, which may be non-blocking. Returns false if it
// could not write all of it: an error (errno says which; the disk is full, or
// the reader has gone), or `timeout` passed before a reader made room.
// REQUIRES: SIGPIPE is ignored.
bool WriteWithin(int fd, absl::string_view text, absl::Duration timeout);

}  // namespace sheaf
