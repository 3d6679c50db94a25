#include "server/watchdog.h"

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
    absl::MutexLock lock(&mu_);
    is_ending_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Watchdog::OnStep() {
  absl::MutexLock lock(&mu_);
  last_move_ = options_.now();
}

void Watchdog::Look() {
  const bool has_work = has_work_();
  bool is_stuck = false;
  {
    absl::MutexLock lock(&mu_);
    const absl::Time now = options_.now();
    if (!has_work) last_move_ = now;
    is_stuck = now - last_move_ > options_.patience;
  }
  if (is_stuck != std::exchange(is_stuck_, is_stuck)) on_change_(is_stuck);
}

void Watchdog::Loop() {
  absl::MutexLock lock(&mu_);
  while (
      !mu_.AwaitWithTimeout(absl::Condition(&is_ending_), options_.interval)) {
    mu_.Unlock();
    Look();
    mu_.Lock();
  }
}

}  // namespace sheaf
