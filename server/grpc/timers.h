// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/monotonic_time.h"
#include "base/timed_mutex.h"

namespace sheaf {

// Something that Timers calls.
class Timed {
 public:
  virtual ~Timed() = default;
  // Called by the thread of the timers. Must not block.
  virtual void OnTimer() = 0;
};

// Calls objects at points of time, on one thread of its own. A timer costs one
// entry of a map. An alarm of gRPC passes through two of gRPC's threads, even
// when it is cancelled.
//
// Thread-safe.
class Timers {
 public:
  // A timer that is set. The number tells timers of the same time apart.
  struct Timer {
    MonotonicTime time;
    uint64_t number;
  };

  Timers();
  ~Timers();  // Calls nothing more.
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;

  // Has target->OnTimer() called once, at `time` or shortly after it, unless
  // the target is gone by then.
  Timer Set(MonotonicTime time, std::weak_ptr<Timed> target);

  // The call may be under way already.
  void Cancel(const Timer& timer);

  // Has all targets called now instead of at their times.
  void FireAll();

 private:
  struct IsEarlier {
    bool operator()(const Timer& a, const Timer& b) const {
      return a.time == b.time ? a.number < b.number : a.time < b.time;
    }
  };
  using Targets = std::map<Timer, std::weak_ptr<Timed>, IsEarlier>;

  void Loop();
  // Takes out the targets whose times have come. `next_look` becomes the time
  // of the first of the others.
  Targets TakeDue(MonotonicTime* next_look);
  void Wake();

  absl::Mutex mu_;
  Targets targets_ ABSL_GUARDED_BY(mu_);
  uint64_t last_number_ ABSL_GUARDED_BY(mu_) = 0;
  bool are_all_due_ ABSL_GUARDED_BY(mu_) = false;
  // The time until which the thread waits, unless it is woken.
  MonotonicTime next_look_ ABSL_GUARDED_BY(mu_) =
      MonotonicTime::InfiniteFuture();

  // Separate from mu_, because each unlocking of a TimedMutex wakes the thread.
  TimedMutex wake_mu_;
  bool is_woken_ ABSL_GUARDED_BY(wake_mu_) = false;
  bool is_ending_ ABSL_GUARDED_BY(wake_mu_) = false;

  std::thread thread_;
};

}  // namespace sheaf
