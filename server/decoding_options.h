// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/request.h"
#include "sheaf/v1/text.pb.h"
#include "text/tasks.h"

namespace sheaf {

// The limits of DecodingOptions, and the defaults of the RPC.
struct DecodingLimits {
  int32_t max_new_tokens = 1024;
  int32_t max_positions = 0;  // of the model's decoder; 0: any
  int32_t max_beam_size = kMaxBeamSize;
  int32_t vocab_size = 0;
  // The token of the target language, which is forced first unless the request
  // sets another one. -1: there is none.
  int32_t target_language_id = -1;
  std::vector<int32_t> no_output_ids = {};  // start and end tokens
  int32_t max_stops = 8;
  int32_t max_stop_bytes = 256;
  bool has_loop_guard = false;  // if the request does not set it

  bool allows_output(int32_t id) const;  // false for no_output_ids
};

struct CheckedOptions {
  SamplingParams sampling;
  // Forced start tokens: those of the request. If there are any, the token of
  // the target language stands before them.
  std::vector<int32_t> target_prefix;
  std::vector<std::string> stop;
};

// The decoding that a request asks for. An absent field takes its value from
// `defaults` (the task's, then the model's), and if it is absent there, the
// built-in one. INVALID_ARGUMENT names the field, its value and what is
// allowed. A request without a seed gets a random one.
//
// Beams do not sample, so a request may not ask for both. If a request
// conflicts with a default, the request wins. If the defaults ask for both,
// beams win.
absl::StatusOr<CheckedOptions> CheckDecodingOptions(
    const v1::DecodingOptions& options, const DecodingDefaults& defaults,
    const DecodingLimits& limits);

}  // namespace sheaf
