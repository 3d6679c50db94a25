// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace sheaf {

// Returns the length of the longest prefix of `text` that is UTF-8 (no
// surrogates, no overlong forms, nothing above U+10FFFF).
size_t Utf8PrefixLength(absl::string_view text);

// Returns INVALID_ARGUMENT with the field and the byte if a string field of
// `message` or of a message in it is not UTF-8. gRPC would send such a request,
// and the server could only answer that it cannot read it.
absl::Status CheckUtf8(const google::protobuf::Message& message);

}  // namespace sheaf
