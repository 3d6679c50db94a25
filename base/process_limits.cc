// SPDX-License-Identifier: Apache-2.0

#include "base/process_limits.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"

namespace sheaf {
namespace {

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

absl::Status CheckThreads(absl::string_view who, int32_t num_threads) {
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
      "the process can start %d threads; %s needs %d. The user may have %s "
      "processes and threads (ulimit -u), the process %s KiB of address space "
      "(ulimit -v); the control group may have a pids.max",
      started.size(), who, num_threads, LimitText(RLIMIT_NPROC, 1),
      LimitText(RLIMIT_AS, kKib)));
}

absl::Status CheckFreeDescriptors(absl::string_view who, int32_t num_files) {
  std::vector<int> opened;
  while (static_cast<int32_t>(opened.size()) < num_files) {
    const int fd = dup(STDERR_FILENO);
    if (fd < 0) break;
    opened.push_back(fd);
  }
  for (int fd : opened) close(fd);
  if (static_cast<int32_t>(opened.size()) == num_files) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "the process can open %d more files; %s needs %d. It may "
      "have %s files (ulimit -n)",
      opened.size(), who, num_files, LimitText(RLIMIT_NOFILE, 1)));
}

bool HasAddressSpaceLimit() {
  rlimit limit;
  return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

}  // namespace sheaf
