// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace sheaf {

class Intake;

// The bytes that one request holds of the intake. Released when destroyed.
class IntakeBytes {
 public:
  IntakeBytes(IntakeBytes&& other) noexcept;
  IntakeBytes& operator=(IntakeBytes&&) = delete;
  ~IntakeBytes();

  // Changes the number of bytes. Fails as Intake::Take() does; then nothing
  // changes.
  absl::Status Resize(int64_t bytes);

 private:
  friend class Intake;
  IntakeBytes(Intake* intake, int64_t bytes);
  Intake* intake_;  // null once moved from
  int64_t bytes_;
};

// Counts the bytes of all requests that have arrived and not ended, and decides
// whether more may arrive.
//
// Thread-safe. Outlives its IntakeBytes.
class Intake {
 public:
  // `on_bytes` gets the sum after each change. Its calls do not overlap.
  Intake(int64_t max_bytes, std::function<void(int64_t)> on_bytes)
      : max_bytes_(max_bytes), on_bytes_(std::move(on_bytes)) {}
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  // Accepts a request of this size.
  //   UNAVAILABLE         the intake is closed
  //   INVALID_ARGUMENT    the request alone exceeds max_bytes
  //   RESOURCE_EXHAUSTED  the request and the others together exceed it
  absl::StatusOr<IntakeBytes> Take(int64_t bytes);

  // UNAVAILABLE if the intake is closed.
  absl::Status CheckOpen();

  // From now on Take() refuses.
  void Close();

  // From now on requests that are still being read are refused as well.
  void Abandon() { is_abandoned_ = true; }
  bool is_abandoned() const { return is_abandoned_; }

 private:
  friend class IntakeBytes;
  // Adds `more` bytes, which may be negative, to a request that has `own`.
  absl::Status Add(int64_t own, int64_t more)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int64_t max_bytes_;
  const std::function<void(int64_t)> on_bytes_;
  std::atomic<bool> is_abandoned_ = false;
  absl::Mutex mu_;
  bool is_closed_ ABSL_GUARDED_BY(mu_) = false;
  int64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace sheaf
