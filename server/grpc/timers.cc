// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/timers.h"

#include <utility>

namespace sheaf {

Timers::Timers() : thread_([this] { Loop(); }) {}

Timers::~Timers() {
  {
    TimedMutexLock lock(&wake_mu_);
    is_ending_ = true;
  }
  thread_.join();
}

Timers::Timer Timers::Set(MonotonicTime time, std::weak_ptr<Timed> target) {
  Timer timer;
  bool is_next = false;
  {
    absl::MutexLock lock(&mu_);
    timer = {time, ++last_number_};
    targets_.emplace(timer, std::move(target));
    is_next = time < next_look_;
    if (is_next) next_look_ = time;
  }
  if (is_next) Wake();
  return timer;
}

void Timers::Cancel(const Timer& timer) {
  absl::MutexLock lock(&mu_);
  targets_.erase(timer);
}

void Timers::FireAll() {
  {
    absl::MutexLock lock(&mu_);
    are_all_due_ = true;
  }
  Wake();
}

void Timers::Wake() {
  TimedMutexLock lock(&wake_mu_);
  is_woken_ = true;
}

Timers::Targets Timers::TakeDue(MonotonicTime* next_look) {
  Targets due;
  absl::MutexLock lock(&mu_);
  if (std::exchange(are_all_due_, false)) {
    due.swap(targets_);
  } else {
    const MonotonicTime now = MonotonicTime::Now();
    while (!targets_.empty() && targets_.begin()->first.time <= now) {
      due.insert(targets_.extract(targets_.begin()));
    }
  }
  next_look_ = targets_.empty() ? MonotonicTime::InfiniteFuture()
                                : targets_.begin()->first.time;
  *next_look = next_look_;
  return due;
}

void Timers::Loop() {
  for (;;) {
    MonotonicTime next_look;
    for (const auto& [timer, target] : TakeDue(&next_look)) {
      if (const std::shared_ptr<Timed> held = target.lock()) held->OnTimer();
    }
    TimedMutexLock lock(&wake_mu_);
    const auto has_news = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(wake_mu_) {
      return is_woken_ || is_ending_;
    };
    wake_mu_.AwaitWithTimeout(has_news, next_look - MonotonicTime::Now());
    if (is_ending_) return;
    is_woken_ = false;
  }
}

}  // namespace sheaf
