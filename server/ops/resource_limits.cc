// SPDX-License-Identifier: Apache-2.0

#include "server/ops/resource_limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include "absl/strings/str_format.h"

namespace sheaf {
namespace {

// The highest limit that the process may set for itself.
rlim_t HardLimit(__rlimit_resource resource) {
  rlimit limit;
  return getrlimit(resource, &limit) == 0 ? limit.rlim_max : RLIM_INFINITY;
}

}  // namespace

absl::Status CheckOpenFiles() {
  const rlim_t limit = HardLimit(RLIMIT_NOFILE);
  if (limit > kOtherFiles) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "the process may open %d files (ulimit -n); the server needs %d at "
      "least: %d and one for each connection",
      limit, kOtherFiles + 1, kOtherFiles));
}

int32_t ThreadsAtStart(int32_t num_threads) {
  // The server's own threads, those of /metrics, and gRPC's: several, and two
  // for each of up to 16 processors. A server on two processors had 28 + 2.
  constexpr int32_t kOthers = 28;
  constexpr int32_t kMaxGrpcProcessors = 16;
  const auto num_processors =
      static_cast<int32_t>(std::thread::hardware_concurrency());
  return num_threads + kOthers +
         2 * std::clamp(num_processors, 2, kMaxGrpcProcessors);
}

}  // namespace sheaf
