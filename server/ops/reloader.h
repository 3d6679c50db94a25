// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/timed_mutex.h"

namespace sheaf {

// The thread that looks at the files which may change while the server runs,
// regularly and whenever an operator asks. The callback decides what a look
// does, and what stays if a file is invalid.
//
// AskNow() is thread-safe. One thread starts and stops it.
class Reloader {
 public:
  explicit Reloader(absl::Duration interval) : interval_(interval) {}
  ~Reloader() { Stop(); }
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;

  // From now on the thread calls `look`, with true if AskNow() was called.
  // Called once.
  void Start(std::function<void(bool is_asked)> look);
  // Makes the thread look at once, without waiting for it.
  void AskNow();
  // Returns once `look` will not be called any more.
  void Stop();

 private:
  void Loop();

  const absl::Duration interval_;
  std::function<void(bool)> look_;  // set by Start()
  TimedMutex mu_;
  bool is_asked_ ABSL_GUARDED_BY(mu_) = false;
  bool is_ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace sheaf
