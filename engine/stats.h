#pragma once

#include <cstdint>
#include <vector>

#include "engine/request.h"

namespace sheaf {

// Bytes of KV cache, in whole blocks, exact.
struct KvBytes {
  int64_t self_used = 0;       // held by blocks of decoder self-attention
  int64_t cross_used = 0;      // held by blocks of cross-attention
  int64_t self_reserved = 0;   // the most that the admitted segments can hold,
  int64_t cross_reserved = 0;  // what they hold now included
  int64_t capacity = 0;
};

// Where the engine stands after a step.
struct EngineGauges {
  int32_t num_requests_running = 0;   // with an admitted segment
  int32_t num_requests_waiting = 0;   // with none yet
  int32_t num_sequences_running = 0;  // that hold a place in the batch
  KvBytes kv;
};

// What one turn of the engine did. The engine reuses it: copy what is to stay.
struct StepStats {
  // Empties all, and keeps the vectors' memory.
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
  double encode_seconds = 0;          // in this step; 0 if nothing was encoded
  double decode_seconds = 0;          // all that a decode does; 0: no decode
  int32_t num_decoded_sequences = 0;  // the decode's batch
  int32_t num_prompt_tokens = 0;      // of segments whose encoding began
  int32_t num_generated_tokens = 0;   // that sinks were given, but no prefixes
  int32_t num_loops = 0;  // segments whose answer the loop guard ended
  std::vector<double> time_to_first_token_seconds;  // one a request
  std::vector<double>
      inter_token_seconds;            // one a token after a segment's first
  std::vector<double> queue_seconds;  // one a request admitted
  // Requests that ended well in this step, index by index.
  std::vector<double> e2e_seconds;
  std::vector<FinishReason> finish_reasons;
};

}  // namespace sheaf
