// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <google/protobuf/map.h>
#include <google/protobuf/message.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "inference/grpc_service.pb.h"

// The parameters of the Open Inference Protocol.
namespace sheaf {

using InferParameters =
    google::protobuf::Map<std::string, inference::InferParameter>;

// The string value of a parameter; `absent` if it is not there.
// INVALID_ARGUMENT if it is not a string.
absl::StatusOr<std::string> StringParameter(const InferParameters& parameters,
                                            const std::string& name,
                                            const std::string& absent);

// INVALID_ARGUMENT if the parameter is there and not a bool.
absl::Status CheckBoolParameter(const InferParameters& parameters,
                                const std::string& name);

// Sets the fields of a request of sheaf.v1, and of its `decoding`, from the
// parameters of their names, except for `excluded`. INVALID_ARGUMENT names the
// first parameter, in the order of their names, that is not an option of the
// request, or has the wrong type.
absl::Status SetOptions(const InferParameters& parameters,
                        absl::Span<const absl::string_view> excluded,
                        google::protobuf::Message* request);

}  // namespace sheaf
