// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sheaf {

// The compressions of gRPC's messages (grpc-encoding).
enum class Compression {
  kGzip,     // RFC 1952
  kDeflate,  // RFC 1950, in spite of its name
};

// Inflates a message, of which `parts` are the pieces in their order. Stops as
// soon as the result would exceed `max_bytes`, so that a small message takes
// neither much memory nor much time.
//   RESOURCE_EXHAUSTED  the result exceeds max_bytes
//   INVALID_ARGUMENT    the message is damaged, incomplete, or followed by
//                       other bytes
absl::StatusOr<std::string> Inflate(Compression compression,
                                    absl::Span<const absl::string_view> parts,
                                    int64_t max_bytes);

}  // namespace sheaf
