#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/client.h"

namespace sheaf {

struct LoadOptions {
  double rate = 1;      // Requests a second, on average. REQUIRES: > 0.
  double seconds = 10;  // For how long requests arrive. REQUIRES: > 0.
  uint64_t seed = 0;    // Of the arrival times.
};

// Starts request number `index` and returns without waiting for it. Calls
// `on_output` for each chunk that has text or tokens, then `on_done` once; from
// any thread, but not two of one request at a time.
using StartRequest = std::function<void(
    int64_t index, std::function<void()> on_output, Client::OnDone on_done)>;

struct LoadReport {
  std::string json;          // One object on one line; see RunLoad().
  absl::Status first_error;  // Of the first request that failed.
  int64_t num_ok = 0;
};

// Open-loop load: requests start at times drawn beforehand (a Poisson process),
// whatever has become of those before. Nothing limits how many are under way,
// so a server that falls behind shows in the latencies and the errors, as it
// would to users who do not wait for each other. Returns when all are done.
//
// The JSON has:
//   rate, seconds         as in the options
//   requests, ok          started; ended without an error
//   errors                {"RESOURCE_EXHAUSTED": 3}: failed requests by code
//   output_tokens, tokens_per_second
//                         of ok requests; per second until the last answer
//   ttft_seconds          {"p50", "p90", "p99"}: planned start to first output
//   itl_seconds           likewise: between two chunks with output
//   e2e_seconds           likewise: planned start to the end
//   max_start_delay_seconds
//                         by how much a request started late at most; what is
//                         not small against the others makes them untrue
// Latencies are those of ok requests and count from the planned start, so a
// late start is in them. Percentiles are nearest ranks, null if there are no
// values.
LoadReport RunLoad(const LoadOptions& options, const StartRequest& start);

}  // namespace sheaf
