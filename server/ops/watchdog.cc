// SPDX-License-Identifier: Apache-2.0

#include "server/ops/watchdog.h"

#include <utility>

namespace sheaf {

Watchdog::Watchdog(Options options)
    : options_(std::move(options)), last_move_(options_.now()) {}

void Watchdog::Start(std::function<bool()> has_work,
                     std::function<void(bool)> on_change) {
  has_work_ = std::move(has_work);
  on_change_ = std::move(on_change);
  thread_ = std::thread([this] { Loop(); });
}

void Watchdog::Stop() {
  {
    TimedMutexLock lock(&mu_);
    is_ending_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Watchdog::OnStep() {
  TimedMutexLock lock(&mu_);
  last_move_ = options_.now();
}

void Watchdog::Look() {
  const bool has_work = has_work_();
  bool is_stuck = false;
  {
    TimedMutexLock lock(&mu_);
    const MonotonicTime now = options_.now();
    if (!has_work) last_move_ = now;
    is_stuck = now - last_move_ > options_.patience;
  }
  if (is_stuck != std::exchange(is_stuck_, is_stuck)) on_change_(is_stuck);
}

void Watchdog::Loop() {
  TimedMutexLock lock(&mu_);
  const auto is_ending = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return is_ending_;
  };
  while (!mu_.AwaitWithTimeout(is_ending, options_.interval)) {
    mu_.Unlock();
    Look();
    mu_.Lock();
  }
}

}  // namespace sheaf
