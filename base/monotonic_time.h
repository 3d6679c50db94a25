// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <compare>

#include "absl/time/time.h"

namespace sheaf {

// A time of the monotonic clock, which changes of the wall clock do not affect.
// Used for deadlines, durations and rates. The wall clock (absl::Time) is for
// time stamps that people read. The different types prevent mixing the two.
//
// Arithmetic saturates, as for absl::Duration. Zero is a moment before the
// process started; tests count from it.
class MonotonicTime {
 public:
  constexpr MonotonicTime() = default;
  static MonotonicTime Now();
  static constexpr MonotonicTime InfiniteFuture() {
    return MonotonicTime(absl::InfiniteDuration());
  }
  static constexpr MonotonicTime InfinitePast() {
    return MonotonicTime(-absl::InfiniteDuration());
  }

  absl::Duration since_zero() const { return since_zero_; }

  MonotonicTime& operator+=(absl::Duration duration) {
    since_zero_ += duration;
    return *this;
  }
  friend MonotonicTime operator+(MonotonicTime time, absl::Duration duration) {
    return time += duration;
  }
  friend absl::Duration operator-(MonotonicTime a, MonotonicTime b) {
    return a.since_zero_ - b.since_zero_;
  }
  friend bool operator==(MonotonicTime a, MonotonicTime b) {
    return a.since_zero_ == b.since_zero_;
  }
  friend std::weak_ordering operator<=>(MonotonicTime a, MonotonicTime b) {
    if (a.since_zero_ < b.since_zero_) return std::weak_ordering::less;
    if (b.since_zero_ < a.since_zero_) return std::weak_ordering::greater;
    return std::weak_ordering::equivalent;
  }

 private:
  explicit constexpr MonotonicTime(absl::Duration since_zero)
      : since_zero_(since_zero) {}
  absl::Duration since_zero_;
};

}  // namespace sheaf
