#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/request.h"
#include "server/text/tasks.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {

// What DecodingOptions may ask for.
struct DecodingLimits {
  int32_t max_new_tokens = 1024;
  int32_t vocab_size = 0;
  int32_t max_stops = 8;
  int32_t max_stop_bytes = 256;
};

struct CheckedOptions {
  SamplingParams sampling;
  std::vector<std::string> stop;
};

// The decoding that a request asks for: its own fields, where absent `defaults`
// (the task's, then the model's), else the built-in ones. INVALID_ARGUMENT
// names the field, its value and what is allowed; UNIMPLEMENTED is for
// beam_size above 1, which a default asks for in vain: it counts as 1. Without
// a seed the request gets a random one.
absl::StatusOr<CheckedOptions> CheckDecodingOptions(
    const v1::DecodingOptions& options, const DecodingDefaults& defaults,
    const DecodingLimits& limits);

}  // namespace sheaf
