// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/client.h"

namespace sheaf {

struct ServerRunOptions {
  bool summarizes = false;  // instead of translating
  std::string model;        // empty: the server's
  std::string source_language = "en";
  std::string target_language = "de";
  v1::DecodingOptions decoding;
  CallOptions call;
  int concurrency = 8;  // maximum number of concurrent requests
};

// The outputs of a server, and their cost.
struct ServerRun {
  std::vector<std::string> outputs;  // [sources]
  int64_t input_tokens = 0;
  int64_t output_tokens = 0;
  double seconds = 0;
  v1::Model model;
};

// Sends one request per source. The first error ends the run. It begins with
// the number of the source, counted from 1.
absl::StatusOr<ServerRun> RunOnServer(Client& client,
                                      const std::vector<std::string>& sources,
                                      const ServerRunOptions& options);

}  // namespace sheaf
