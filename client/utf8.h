#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace sheaf {

// Length of the longest prefix of `text` that is UTF-8 (no surrogates, no
// overlong forms, nothing past U+10FFFF): text.size() if all of it is.
size_t Utf8PrefixLength(absl::string_view text);

// INVALID_ARGUMENT, naming the field and the byte, if a string field of
// `message` or of a message in it is not UTF-8. gRPC would send it all the
// same, and the server could only answer that it can't read the request.
absl::Status CheckUtf8(const google::protobuf::Message& message);

}  // namespace sheaf
