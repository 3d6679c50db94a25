#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sheaf {

// The thread that long texts are tokenized on, one after another, and the
// summaries of their parts: that takes
// seconds for a megabyte, and gRPC has few threads for all calls and health
// checks. Short texts do not come here, so they never wait behind long ones.
class DoorThread {
 public:
  explicit DoorThread(int32_t max_waiting);
  ~DoorThread();  // Runs what was taken, then ends.
  DoorThread(const DoorThread&) = delete;
  DoorThread& operator=(const DoorThread&) = delete;

  // False, and `fn` will not run, if max_waiting wait already. Thread-safe.
  [[nodiscard]] bool TryRun(std::function<void()> fn);

  // The same for what belongs to a request that was taken already: never
  // refused. Thread-safe.
  void Run(std::function<void()> fn);

 private:
  void Loop();

  const size_t max_waiting_;
  absl::Mutex mu_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mu_);
  bool is_stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace sheaf
