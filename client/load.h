// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/client.h"

namespace sheaf {

struct LoadOptions {
  double rate = 1;          // average requests per second; REQUIRES: > 0
  int32_t num_clients = 0;  // > 0: replaces the rate; see RunLoad()
  double seconds = 10;      // time during which they arrive; REQUIRES: > 0
  uint64_t seed = 0;        // of the arrival times
};

// Starts request number `index` and returns without waiting for it. Calls
// `on_output` for each chunk that has text or tokens, then `on_done` once. The
// calls may come from any thread, but one at a time per request.
using StartRequest = std::function<void(
    int64_t index, std::function<void()> on_output, Client::OnDone on_done)>;

struct LoadReport {
  std::string json;          // one object on one line; see RunLoad()
  absl::Status first_error;  // of the first request that failed
  int64_t num_ok = 0;
};

// Runs an open-loop load: requests start at times drawn beforehand (a Poisson
// process), regardless of the state of earlier requests. The number of requests
// in progress is not limited. A slow server therefore shows in latencies and
// errors, as it does for users who do not wait for each other. Returns when all
// requests are done.
//
// With `num_clients`, runs a closed loop instead: this number of requests is
// always in progress, and each starts when one before it is done. The requests
// per second are then the capacity of the server for so many clients.
//
// The JSON has:
//   rate or clients, seconds
//                         as in the options
//   requests, ok          number started; number that ended without an error
//   errors                {"RESOURCE_EXHAUSTED": 3}: failed requests by code
//   output_tokens, tokens_per_second, requests_per_second
//                         of ok requests; the rates until the last answer
//   ttft_seconds          {"p50", "p90", "p99"}: planned start to first output
//   itl_seconds           the same for the time between two chunks with output
//   e2e_seconds           the same for planned start to end
//   max_start_delay_seconds
//                         the largest delay of a start; unless it is small
//                         against the latencies, these are not accurate
// Latencies are those of ok requests. They count from the planned start, so
// they include a late start. In a closed loop, a request is planned for the
// time at which it starts. Percentiles are nearest ranks, null without values.
LoadReport RunLoad(const LoadOptions& options, const StartRequest& start);

}  // namespace sheaf
