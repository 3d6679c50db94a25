// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <google/protobuf/message_lite.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// Keeps protobuf from writing input of clients to stderr: from now on its
// messages go to the thread that parses. Call it once, before any thread
// parses.
void RedirectProtobufLog();

// Parses a message from a client. Returns INVALID_ARGUMENT if the bytes are not
// such a message, and names the field if it is a string that is not UTF-8.
// REQUIRES: RedirectProtobufLog() was called.
absl::Status ParseMessage(absl::string_view bytes,
                          google::protobuf::MessageLite* message);

}  // namespace sheaf
