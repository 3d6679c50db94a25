// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "engine/request.h"

namespace sheaf {

// Records all calls of the engine, for a test to inspect after Wait().
class RecordingSink : public TokenSink {
 public:
  explicit RecordingSink(size_t num_segments = 1)
      : tokens_(num_segments), hypotheses_(num_segments) {}

  void OnStarted(absl::Duration queued) override {
    absl::MutexLock lock(&mutex_);
    queued_.push_back(queued);
  }
  void OnTokens(int32_t segment_index,
                absl::Span<const int32_t> tokens) override {
    absl::MutexLock lock(&mutex_);
    tokens_[segment_index].insert(tokens_[segment_index].end(), tokens.begin(),
                                  tokens.end());
  }
  void OnSegmentFinished(int32_t segment_index,
                         std::vector<Hypothesis> hypotheses) override {
    absl::MutexLock lock(&mutex_);
    hypotheses_[segment_index] = std::move(hypotheses);
  }
  void OnFinished(const absl::Status& status) override {
    status_ = status;
    finished_.Notify();
  }

  // The request's final status.
  const absl::Status& Wait() {
    finished_.WaitForNotification();
    return status_;
  }
  bool HasFinished() const { return finished_.HasBeenNotified(); }
  void WaitForStart() {
    absl::MutexLock lock(&mutex_);
    const auto is_admitted = [this] {
      mutex_.AssertReaderHeld();
      return !queued_.empty();
    };
    mutex_.Await(absl::Condition(&is_admitted));
  }
  // Returns once the segment has `n` tokens.
  void WaitForTokens(size_t n, int32_t segment_index = 0) {
    absl::MutexLock lock(&mutex_);
    const auto has_tokens = [this, n, segment_index] {
      mutex_.AssertReaderHeld();
      return tokens_[segment_index].size() >= n;
    };
    mutex_.Await(absl::Condition(&has_tokens));
  }

  // REQUIRES: Wait() has returned. One value per call of OnStarted().
  const std::vector<absl::Duration>& queued() const { return queued_; }
  const std::vector<int32_t>& tokens(int32_t segment_index = 0) const {
    return tokens_[segment_index];
  }
  const std::vector<Hypothesis>& hypotheses(int32_t segment_index = 0) const {
    return hypotheses_[segment_index];
  }

 private:
  absl::Mutex mutex_;
  std::vector<absl::Duration> queued_;
  std::vector<std::vector<int32_t>> tokens_;         // by segment
  std::vector<std::vector<Hypothesis>> hypotheses_;  // by segment
  absl::Status status_;
  absl::Notification finished_;
};

}  // namespace sheaf
