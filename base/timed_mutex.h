// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"

namespace sheaf {

// A mutex for waits with a timeout, by the monotonic clock.
//
// absl::Mutex (20220623) waits until a time of the wall clock. If that clock is
// set back by an hour, a wait of a second takes an hour longer. Use absl::Mutex
// where no wait has a timeout.
class ABSL_LOCKABLE TimedMutex {
 public:
  TimedMutex() = default;
  TimedMutex(const TimedMutex&) = delete;
  TimedMutex& operator=(const TimedMutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  // Wakes the waiting threads, because the holder may have changed the state.
  void Unlock() ABSL_UNLOCK_FUNCTION() {
    if (num_waiting_ > 0) unlocked_.notify_all();
    mutex_.unlock();
  }

  // Waits until `is_true()`, which is called with the mutex held. The mutex is
  // unlocked during the wait. Returns false if the condition was not true
  // within `timeout`. REQUIRES: the caller holds the mutex.
  //
  // The analysis checks the callers. In the body it cannot tell that the mutex
  // that a predicate requires is this one.
  template <typename Predicate>
  bool AwaitWithTimeout(const Predicate& is_true, absl::Duration timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(this) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    // A longer timeout would overflow the clock.
    constexpr absl::Duration kLongest = absl::Hours(24 * 365 * 100);
    const auto end = std::chrono::steady_clock::now() +
                     absl::ToChronoNanoseconds(std::min(timeout, kLongest));
    std::unique_lock<std::mutex> lock(mutex_, std::adopt_lock);
    bool has_come = is_true();
    // The caller may have changed the state that other threads wait for.
    if (!has_come && num_waiting_ > 0) unlocked_.notify_all();
    ++num_waiting_;
    while (!has_come &&
           unlocked_.wait_until(lock, end) == std::cv_status::no_timeout) {
      has_come = is_true();
    }
    --num_waiting_;
    lock.release();  // the caller still holds the mutex
    return has_come || is_true();
  }

 private:
  std::mutex mutex_;
  std::condition_variable unlocked_;
  int32_t num_waiting_ = 0;  // guarded by mutex_
};

class ABSL_SCOPED_LOCKABLE TimedMutexLock {
 public:
  explicit TimedMutexLock(TimedMutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex)
      : mutex_(mutex) {
    mutex_->Lock();
  }
  ~TimedMutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  TimedMutexLock(const TimedMutexLock&) = delete;
  TimedMutexLock& operator=(const TimedMutexLock&) = delete;

 private:
  TimedMutex* const mutex_;
};

}  // namespace sheaf
