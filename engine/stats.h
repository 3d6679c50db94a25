// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "engine/request.h"

namespace sheaf {

// Bytes of KV cache, in whole blocks.
struct KvBytes {
  int64_t self_used = 0;   // held by blocks of decoder self-attention
  int64_t cross_used = 0;  // held by blocks of cross-attention
  // The maximum that the admitted segments can hold, including what they hold
  // now.
  int64_t self_reserved = 0;
  int64_t cross_reserved = 0;
  int64_t capacity = 0;
};

// The state of a lane after a step.
struct EngineGauges {
  int32_t num_requests_running = 0;   // with an admitted segment
  int32_t num_requests_waiting = 0;   // with none yet
  int32_t num_sequences_running = 0;  // with a place in the batch
  KvBytes kv;
};

// The figures of one step of a lane. The lane reuses the object.
struct StepStats {
  // Empties everything, and keeps the memory of the vectors.
  void Clear() {
    gauges = {};
    encode_seconds = decode_seconds = 0;
    num_decoded_sequences = num_prompt_tokens = num_generated_tokens = 0;
    num_loops = 0;
    time_to_first_token_seconds.clear();
    inter_token_seconds.clear();
    queue_seconds.clear();
    e2e_seconds.clear();
    finish_reasons.clear();
  }

  EngineGauges gauges;
  double encode_seconds = 0;          // 0: nothing was encoded
  double decode_seconds = 0;          // of the whole decode; 0: no decode
  int32_t num_decoded_sequences = 0;  // the batch size of the decode
  int32_t num_prompt_tokens = 0;      // of segments whose encoding began
  int32_t num_generated_tokens = 0;   // given to sinks, except forced ones
  int32_t num_loops = 0;              // segments that the loop guard ended
  // One per request.
  std::vector<double> time_to_first_token_seconds;
  // One per token, except for the first one of each segment.
  std::vector<double> inter_token_seconds;
  // One per request that left the queue.
  std::vector<double> queue_seconds;
  // One per request that finished in this step, in the same order.
  std::vector<double> e2e_seconds;
  std::vector<FinishReason> finish_reasons;
};

}  // namespace sheaf
