#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/client.h"

namespace sheaf {

struct ServerRunOptions {
  bool summarizes = false;  // or translates
  std::string model;        // empty: the server's own
  std::string source_language = "en";
  std::string target_language = "de";
  v1::DecodingOptions decoding;
  CallOptions call;
  int concurrency = 8;  // requests under way at a time
};

// What a server made of some texts, and what it took.
struct ServerRun {
  std::vector<std::string> outputs;  // [sources]
  int64_t input_tokens = 0;
  int64_t output_tokens = 0;
  double seconds = 0;
  v1::Model model;
};

// Sends each source as a request of its own. The first error ends the run; it
// begins with the source's number, from 1.
absl::StatusOr<ServerRun> RunOnServer(Client& client,
                                      const std::vector<std::string>& sources,
                                      const ServerRunOptions& options);

}  // namespace sheaf
