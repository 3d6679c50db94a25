// SPDX-License-Identifier: Apache-2.0

#include "server/delivery.h"

#include <utility>

namespace sheaf {

Delivery::Delivery() : thread_([this] { Loop(); }) {}

Delivery::~Delivery() {
  {
    absl::MutexLock lock(&mu_);
    is_stopping_ = true;
  }
  thread_.join();
}

void Delivery::Push(std::shared_ptr<Deliverable> item) {
  absl::MutexLock lock(&mu_);
  queue_.push_back(std::move(item));
}

void Delivery::Loop() {
  const auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !queue_.empty() || is_stopping_;
  };
  std::vector<std::shared_ptr<Deliverable>> items;
  while (true) {
    {
      absl::MutexLock lock(&mu_, absl::Condition(&has_work));
      if (queue_.empty()) return;
      items.swap(queue_);
    }
    for (std::shared_ptr<Deliverable>& item : items) {
      item->Deliver();
      item.reset();
    }
    items.clear();
  }
}

}  // namespace sheaf
