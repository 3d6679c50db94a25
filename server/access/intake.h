// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
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
  IntakeBytes(Intake* intake, std::string caller, int64_t bytes);
  Intake* intake_;  // null once moved from
  std::string caller_;
  int64_t bytes_;
};

// Counts the bytes of all requests that have arrived and not ended, and decides
// whether more may arrive.
//
// A caller with several requests leaves free a quarter of what it and the free
// bytes are together. One caller can thus hold three quarters of all bytes, two
// three sevenths each, and a caller that holds nothing always finds some free.
//   A. K. Choudhury, E. L. Hahne: Dynamic queue length thresholds for
//   shared-memory packet switches. IEEE/ACM Transactions on Networking, 1998.
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
  //   RESOURCE_EXHAUSTED  the request and the others together exceed it, or
  //                       this and other requests of the caller leave too
  //                       little free
  absl::StatusOr<IntakeBytes> Take(const std::string& caller, int64_t bytes);
  // The same for a request that belongs to an accepted call: also when the
  // intake is closed.
  absl::StatusOr<IntakeBytes> TakeMore(const std::string& caller,
                                       int64_t bytes);

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
  absl::Status Add(const std::string& caller, int64_t own, int64_t more)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Check(const std::string& caller, int64_t own, int64_t more)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int64_t max_bytes_;
  const std::function<void(int64_t)> on_bytes_;
  std::atomic<bool> is_abandoned_ = false;
  absl::Mutex mu_;
  bool is_closed_ ABSL_GUARDED_BY(mu_) = false;
  int64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  // By caller; only those that hold some.
  absl::flat_hash_map<std::string, int64_t> bytes_of_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sheaf
