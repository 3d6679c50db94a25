#include "server/door_thread.h"

#include <utility>

namespace sheaf {

DoorThread::DoorThread(int32_t max_waiting)
    : max_waiting_(max_waiting), thread_([this] { Loop(); }) {}

DoorThread::~DoorThread() {
  {
    absl::MutexLock lock(&mu_);
    is_stopping_ = true;
  }
  thread_.join();
}

bool DoorThread::TryRun(std::function<void()> fn) {
  absl::MutexLock lock(&mu_);
  if (queue_.size() >= max_waiting_) return false;
  queue_.push_back(std::move(fn));
  return true;
}

void DoorThread::Run(std::function<void()> fn) {
  absl::MutexLock lock(&mu_);
  queue_.push_back(std::move(fn));
}

void DoorThread::Loop() {
  const auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !queue_.empty() || is_stopping_;
  };
  while (true) {
    std::function<void()> fn;
    {
      absl::MutexLock lock(&mu_, absl::Condition(&has_work));
      if (queue_.empty()) return;
      fn = std::move(queue_.front());
      queue_.pop_front();
    }
    fn();
  }
}

}  // namespace sheaf
