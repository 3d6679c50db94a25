#include "server/ops/resource_limits.h"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"

namespace sheaf {
namespace {

// The maximum that the process may set for itself.
rlim_t HardLimit(__rlimit_resource resource) {
  rlimit limit;
  return getrlimit(resource, &limit) == 0 ? limit.rlim_max : RLIM_INFINITY;
}

std::string LimitText(__rlimit_resource resource, rlim_t unit) {
  rlimit limit;
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return "unlimited";
  }
  return absl::StrCat(limit.rlim_cur / unit);
}

void* WaitForEnd(void* end) {
  static_cast<absl::Notification*>(end)->WaitForNotification();
  return nullptr;
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
  // Those of the server, of /metrics and of gRPC, which has a fixed number and
  // two for each of up to 16 processors. With two processors, 28 + 2 were seen.
  constexpr int32_t kOthers = 28;
  constexpr int32_t kMaxGrpcProcessors = 16;
  const auto num_processors =
      static_cast<int32_t>(std::thread::hardware_concurrency());
  return num_threads + kOthers +
         2 * std::clamp(num_processors, 2, kMaxGrpcProcessors);
}

absl::Status CheckThreads(int32_t num_threads) {
  absl::Notification end;
  std::vector<pthread_t> started;
  pthread_t thread;
  while (static_cast<int32_t>(started.size()) < num_threads &&
         pthread_create(&thread, nullptr, WaitForEnd, &end) == 0) {
    started.push_back(thread);
  }
  end.Notify();
  for (pthread_t each : started) pthread_join(each, nullptr);
  if (static_cast<int32_t>(started.size()) == num_threads) {
    return absl::OkStatus();
  }
  constexpr rlim_t kKib = 1024;
  return absl::FailedPreconditionError(absl::StrFormat(
      "the process can start %d threads; the server needs %d. The user may "
      "have %s processes and threads (ulimit -u), the process %s KiB of "
      "address space (ulimit -v); the control group may have a pids.max",
      started.size(), num_threads, LimitText(RLIMIT_NPROC, 1),
      LimitText(RLIMIT_AS, kKib)));
}

}  // namespace sheaf
