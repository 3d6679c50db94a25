// SPDX-License-Identifier: Apache-2.0

#include "server/ops/reloader.h"

#include <utility>

namespace sheaf {

void Reloader::Start(std::function<void(bool)> look) {
  look_ = std::move(look);
  thread_ = std::thread([this] { Loop(); });
}

void Reloader::AskNow() {
  TimedMutexLock lock(&mu_);
  is_asked_ = true;
}

void Reloader::Stop() {
  {
    TimedMutexLock lock(&mu_);
    is_ending_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Reloader::Loop() {
  const auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return is_asked_ || is_ending_;
  };
  for (;;) {
    bool is_asked = false;
    {
      TimedMutexLock lock(&mu_);
      mu_.AwaitWithTimeout(has_work, interval_);
      if (is_ending_) return;
      is_asked = std::exchange(is_asked_, false);
    }
    look_(is_asked);
  }
}

}  // namespace sheaf
