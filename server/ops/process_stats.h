// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

namespace sheaf {

// The kernel's figures on this process. A figure that cannot be read is 0.
struct ProcessStats {
  int64_t resident_bytes = 0;
  int64_t virtual_bytes = 0;
  double cpu_seconds = 0;  // user and system
  int64_t num_open_fds = 0;
  int64_t max_fds = 0;
  double start_time_seconds = 0;  // since the epoch
};

ProcessStats ReadProcessStats();

}  // namespace sheaf
