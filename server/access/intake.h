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

// The bytes that one request takes of the intake; given back when destroyed.
class IntakeBytes {
 public:
  IntakeBytes(IntakeBytes&& other) noexcept;
  IntakeBytes& operator=(IntakeBytes&&) = delete;
  ~IntakeBytes();

  // From now on the request takes `bytes`. As Intake::Take() if that is too
  // much; then nothing changes.
  absl::Status Resize(int64_t bytes);

 private:
  friend class Intake;
  IntakeBytes(Intake* intake, int64_t bytes);
  Intake* intake_;  // null once moved from
  int64_t bytes_;
};

// Counts the requests that have arrived and not ended: the bytes of all,
// from the arrival of their messages to their end, and whether more may come.
//
// Thread-safe. Outlives its IntakeBytes.
class Intake {
 public:
  // `on_bytes` is told the sum after each change, one call at a time.
  Intake(int64_t max_bytes, std::function<void(int64_t)> on_bytes)
      : max_bytes_(max_bytes), on_bytes_(std::move(on_bytes)) {}
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  // Takes a request in.
  //   UNAVAILABLE         it is closed
  //   INVALID_ARGUMENT    the request alone takes more than max_bytes
  //   RESOURCE_EXHAUSTED  it and the others do
  absl::StatusOr<IntakeBytes> Take(int64_t bytes);

  // From now on Take() refuses.
  void Close();

  // Time is up for what is still being read: it is refused too.
  void Abandon() { is_abandoned_ = true; }
  bool is_abandoned() const { return is_abandoned_; }

 private:
  friend class IntakeBytes;
  // Takes `more`, which may be less than 0, on top of `own`.
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
