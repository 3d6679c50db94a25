// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <limits>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sheaf {

// Lets the engine through, or holds it before its next decode step.
class Gate {
 public:
  // Lets `num_steps` more decode steps pass before it closes.
  void Close(int32_t num_steps = 0) {
    absl::MutexLock lock(&mu_);
    num_steps_ = num_steps;
    is_open_ = num_steps > 0;
    if (is_open_) is_engine_here_ = false;
  }
  void Open() { Close(std::numeric_limits<int32_t>::max()); }
  // Returns once the engine waits at the closed gate.
  void AwaitEngine() {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(&is_engine_here_));
  }
  // Called by the engine thread.
  void Pass() {
    absl::MutexLock lock(&mu_);
    is_engine_here_ = !is_open_;
    mu_.Await(absl::Condition(&is_open_));
    is_engine_here_ = false;
    is_open_ = --num_steps_ > 0;
  }

 private:
  absl::Mutex mu_;
  int32_t num_steps_ ABSL_GUARDED_BY(mu_) = std::numeric_limits<int32_t>::max();
  bool is_open_ ABSL_GUARDED_BY(mu_) = true;
  bool is_engine_here_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace sheaf
