// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/monotonic_time.h"
#include "base/timed_mutex.h"

namespace sheaf {

// Notices an engine that has work but makes no step. Such a process should be
// ended, because waiting does not help.
//
// OnStep() is thread-safe. One thread starts and stops it.
class Watchdog {
 public:
  struct Options {
    // The longest time with work and without a step.
    absl::Duration patience = absl::Seconds(30);
    absl::Duration interval = absl::Seconds(1);  // between two checks
    std::function<MonotonicTime()> now = MonotonicTime::Now;
  };

  explicit Watchdog(Options options);
  ~Watchdog() { Stop(); }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // The engine made a step. Any thread, at any time.
  void OnStep();

  // From now on a thread calls `has_work`, and `on_change` after each change:
  // with true once the engine is stuck, with false when it moves again. Called
  // once.
  void Start(std::function<bool()> has_work,
             std::function<void(bool)> on_change);
  // Returns once neither will be called any more.
  void Stop();

 private:
  void Look();
  void Loop();

  const Options options_;
  std::function<bool()> has_work_;  // set by Start()
  std::function<void(bool)> on_change_;
  bool is_stuck_ = false;  // owned by the thread
  TimedMutex mu_;
  MonotonicTime last_move_ ABSL_GUARDED_BY(mu_);  // a step, or no work
  bool is_ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace sheaf
