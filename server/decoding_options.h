#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/request.h"
#include "sheaf/v1/text.pb.h"
#include "text/tasks.h"

namespace sheaf {

// What DecodingOptions may ask for, and what the RPC does unasked.
struct DecodingLimits {
  int32_t max_new_tokens = 1024;
  int32_t max_beam_size = kMaxBeamSize;
  int32_t vocab_size = 0;
  std::vector<int32_t> no_output_ids = {};  // start and end tokens
  int32_t max_stops = 8;
  int32_t max_stop_bytes = 256;
  bool has_loop_guard = false;  // unless the request says otherwise

  bool allows_output(int32_t id) const;  // it is none of no_output_ids
};

struct CheckedOptions {
  SamplingParams sampling;
  std::vector<int32_t> target_prefix;  // forced start tokens
  std::vector<std::string> stop;
};

// The decoding that a request asks for: its own fields, where absent `defaults`
// (the task's, then the model's), else the built-in ones. INVALID_ARGUMENT
// names the field, its value and what is allowed. Without a seed the request
// gets a random one.
//
// Beams do not sample: a request may not ask for both. Of a wish and a default
// that do not go together the default gives way, and of two defaults sampling.
absl::StatusOr<CheckedOptions> CheckDecodingOptions(
    const v1::DecodingOptions& options, const DecodingDefaults& defaults,
    const DecodingLimits& limits);

}  // namespace sheaf
