#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// Marks an error whose message begins with the path of a field of the request,
// as "decoding.top_p is 2; ...", so that programs are told the field as well
// (ToGrpcStatus). Changes nothing in an OK status.
absl::Status NamesField(absl::Status status);

// The path; empty if the error is not marked.
std::string FieldOf(const absl::Status& status);

// What a client sent, for a message: its beginning, as printable characters.
std::string Shown(absl::string_view text);

}  // namespace sheaf
