// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// Attaches the path of the field that caused an error, such as
// "decoding.top_p", so that ToGrpcStatus() can tell it to programs. Does not
// change an OK status.
absl::Status WithField(absl::Status status, absl::string_view field);

// The attached path; empty if there is none.
std::string FieldOf(const absl::Status& status);

// An error caused by one field of a request. The message is the field's path
// followed by the formatted text:
//   FieldError(absl::StatusCode::kInvalidArgument, "decoding.top_p",
//              "is %g; this server allows 0..1", 2.0)
// gives "decoding.top_p is 2; this server allows 0..1".
template <typename... Args>
absl::Status FieldError(absl::StatusCode code, absl::string_view field,
                        const absl::FormatSpec<Args...>& format,
                        const Args&... args) {
  return WithField(
      absl::Status(code,
                   absl::StrCat(field, " ", absl::StrFormat(format, args...))),
      field);
}

// Text from a client, for use in a message: its beginning, with every
// unprintable byte escaped.
std::string Escaped(absl::string_view text);

}  // namespace sheaf
