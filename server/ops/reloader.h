#pragma once

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/timed_mutex.h"

namespace sheaf {

// The thread that looks at the files which may change while the server runs:
// regularly, and at once when an operator asks. What a look does, and what it
// keeps if a file is wrong, is the callee's business.
//
// AskNow() is thread-safe; one thread starts and stops.
class Reloader {
 public:
  explicit Reloader(absl::Duration interval) : interval_(interval) {}
  ~Reloader() { Stop(); }
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;

  // From now on the thread calls `look`, with true if somebody asked. Once
  // only.
  void Start(std::function<void(bool is_asked)> look);
  // Makes the thread look at once. Does not wait for it.
  void AskNow();
  // Returns once `look` is not called any more.
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
