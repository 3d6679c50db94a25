// SPDX-License-Identifier: Apache-2.0

#include "base/monotonic_time.h"

#include <chrono>

namespace sheaf {

MonotonicTime MonotonicTime::Now() {
  return MonotonicTime(
      absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()));
}

}  // namespace sheaf
