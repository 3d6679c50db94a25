// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sheaf {

// Something that the delivery thread calls when there is work for it.
class Deliverable {
 public:
  virtual ~Deliverable() = default;
  // Called by the delivery thread.
  virtual void Deliver() = 0;
};

// The thread between the engine and the clients. It turns tokens into text and
// hands the text to the transports, so that the engine thread does neither.
//
// Push() may be called from any thread and never waits for a delivery.
class Delivery {
 public:
  Delivery();
  ~Delivery();  // Delivers everything that was pushed, then ends.
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  // Has Deliver() of `item` called once. Deliveries do not overlap and keep the
  // order of the pushes.
  void Push(std::shared_ptr<Deliverable> item);

 private:
  void Loop();

  absl::Mutex mu_;
  std::vector<std::shared_ptr<Deliverable>> queue_ ABSL_GUARDED_BY(mu_);
  bool is_stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace sheaf
