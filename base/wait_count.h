// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/timed_mutex.h"

namespace sheaf {

// A count of things that are still there, and a wait until none is left.
//
// Thread-safe.
class WaitCount {
 public:
  void Add(int32_t n) {
    TimedMutexLock lock(&mu_);
    count_ += n;
  }
  // Returns false if the count is still above zero after `timeout`.
  bool WaitUntilZero(absl::Duration timeout) {
    TimedMutexLock lock(&mu_);
    return mu_.AwaitWithTimeout(
        [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return count_ == 0; },
        timeout);
  }

 private:
  TimedMutex mu_;
  int64_t count_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace sheaf
