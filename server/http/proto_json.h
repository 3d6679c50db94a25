// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/status.h"

// Messages in the JSON mapping of protobuf.
namespace sheaf {

// Parses an object of JSON into an empty message. INVALID_ARGUMENT if the text
// is not strict JSON (ParseStrictJson()), or has a field that the message
// lacks, a field twice (also as "top_p" and "topP"), or a value of the wrong
// kind.
absl::Status ParseProtoJson(const std::string& text,
                            google::protobuf::Message* message);

// Fields have the names of the proto: "source_language". Fields without
// presence that have their default value are left out.
std::string ToProtoJson(const google::protobuf::Message& message);

}  // namespace sheaf
