// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "server/http/http_message.h"

// The rules of RequestParser that Beast does not check.
namespace sheaf {

// Checks the bytes of a header, with the final CR LF CR LF. Returns what is
// wrong; empty: nothing.
std::string WrongBytesOfHeader(absl::string_view header);

// Checks the parsed line and fields.
std::string WrongTarget(absl::string_view target);
std::string WrongFields(const HttpHeader& header);

}  // namespace sheaf
