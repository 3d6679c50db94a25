// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <array>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/monotonic_time.h"

namespace sheaf {

// The rate of an event over the last ten seconds, in steps of a tenth of a
// second.
//
// Thread-safe.
class RateWindow {
 public:
  // Adds `count` events at time `now`.
  void Add(MonotonicTime now, int64_t count) {
    absl::MutexLock lock(&mu_);
    Bucket& bucket = buckets_[Tick(now) % kNumBuckets];
    if (bucket.tick != Tick(now)) bucket = {Tick(now), 0};
    bucket.count += count;
  }

  // The events per second in the ten seconds before `now`.
  double PerSecond(MonotonicTime now) const {
    absl::MutexLock lock(&mu_);
    int64_t sum = 0;
    for (const Bucket& bucket : buckets_) {
      if (bucket.tick > Tick(now) - kNumBuckets && bucket.tick <= Tick(now)) {
        sum += bucket.count;
      }
    }
    return static_cast<double>(sum) / kWindowSeconds;
  }

 private:
  static constexpr int64_t kWindowSeconds = 10;
  static constexpr int64_t kTicksPerSecond = 10;
  static constexpr int64_t kNumBuckets = kWindowSeconds * kTicksPerSecond;
  struct Bucket {
    int64_t tick = -kNumBuckets;
    int64_t count = 0;
  };
  static int64_t Tick(MonotonicTime t) {
    return absl::ToInt64Milliseconds(t.since_zero()) * kTicksPerSecond / 1000;
  }

  mutable absl::Mutex mu_;
  std::array<Bucket, kNumBuckets> buckets_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sheaf
