// SPDX-License-Identifier: Apache-2.0

#include "base/standard_streams.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace sheaf {
namespace {

// The monotonic clock.
absl::Duration Uptime() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

// The timeout for poll(2), rounded up. -1 means no timeout.
int PollMs(absl::Duration wait) {
  constexpr absl::Duration kLongest = absl::Hours(24);
  if (wait == absl::InfiniteDuration()) return -1;
  return static_cast<int>(absl::ToInt64Milliseconds(
      absl::Ceil(std::clamp(wait, absl::ZeroDuration(), kLongest),
                 absl::Milliseconds(1))));
}

// Waits until a write of at most PIPE_BUF bytes would not block.
bool AwaitRoom(int fd, absl::Duration deadline) {
  for (;;) {
    pollfd wait = {fd, POLLOUT, 0};
    const int num_ready = poll(&wait, 1, PollMs(deadline - Uptime()));
    if (num_ready > 0) return true;
    if (num_ready == 0 || errno != EINTR) return false;
  }
}

}  // namespace

void FillStandardStreams() {
  for (;;) {
    int fd = open("/dev/null", O_RDONLY);
    // For a root without /dev. This descriptor can be neither read nor written.
    if (fd < 0) fd = open("/", O_PATH);
    if (fd > STDERR_FILENO) close(fd);
    if (fd < 0 || fd > STDERR_FILENO) return;
  }
}

bool WriteWithin(int fd, absl::string_view text, absl::Duration timeout) {
  const absl::Duration deadline = Uptime() + timeout;
  while (!text.empty()) {
    if (!AwaitRoom(fd, deadline)) return false;
    // A pipe that poll() calls writable has room for this many bytes.
    const ssize_t n =
        write(fd, text.data(), std::min<size_t>(text.size(), PIPE_BUF));
    if (n > 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
      return false;
    }
  }
  return true;
}

}  // namespace sheaf
