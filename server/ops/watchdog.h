#pragma once

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/monotonic_time.h"
#include "base/timed_mutex.h"

namespace sheaf {

// Notices an engine that has work and makes no step: a process to be ended, not
// to be waited for.
//
// OnStep() is thread-safe; one thread starts and stops.
class Watchdog {
 public:
  struct Options {
    absl::Duration patience = absl::Seconds(30);  // with work and without step
    absl::Duration interval = absl::Seconds(1);   // between two looks
    std::function<MonotonicTime()> now = MonotonicTime::Now;
  };

  explicit Watchdog(Options options);
  ~Watchdog() { Stop(); }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // The engine made a step. Any thread, at any time.
  void OnStep();

  // From now on a thread asks `has_work` and tells each change to `on_change`:
  // true once the engine is stuck, false when it moves again. Once only.
  void Start(std::function<bool()> has_work,
             std::function<void(bool)> on_change);
  // Returns once neither is called any more.
  void Stop();

 private:
  void Look();
  void Loop();

  const Options options_;
  std::function<bool()> has_work_;  // set by Start()
  std::function<void(bool)> on_change_;
  bool is_stuck_ = false;  // the thread's own
  TimedMutex mu_;
  MonotonicTime last_move_ ABSL_GUARDED_BY(mu_);  // a step, or no work
  bool is_ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace sheaf
