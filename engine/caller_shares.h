// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "absl/time/time.h"
#include "base/monotonic_time.h"

namespace sheaf {

// The account of one caller that has requests in a lane.
//
// The cost of a segment is its source tokens, charged when it is admitted, and
// its sequences times its decode steps, charged step by step.
struct CallerShare {
  std::string name;
  int32_t weight = 1;
  int32_t num_requests = 0;
  int64_t num_waiting = 0;    // segments
  int32_t num_sequences = 0;  // of its admitted segments
  int32_t num_blocks = 0;     // that its admitted segments have reserved
  // The maximum that its admitted segments can still cost.
  int64_t reserved_cost = 0;
  double virtual_time = 0;  // what it was charged, divided by its weight

  // The virtual time that the caller reaches with what it has admitted.
  double due() const {
    return virtual_time + static_cast<double>(reserved_cost) / weight;
  }
  bool holds_nothing() const { return num_sequences == 0; }
};

// The callers that have requests in a lane, and when each of them is due:
// start-time fair queueing, with the cost of what is served in place of time.
//   P. Goyal, H. Vin, H. Cheng: Start-time fair queueing. SIGCOMM 1996.
//   W. Jin, J. Chase, J. Kaur: Interposed proportional sharing for a storage
//   service utility. SIGMETRICS 2004 (several requests in service at a time).
//
// Callers that always have segments waiting get service in proportion to their
// weights, up to the cost of what runs at a time, because the caller that is
// due first is served next.
//
// A caller gains nothing by having been idle: when a segment arrives and none
// of the caller's waits, it is not due before the lane's virtual time. That
// time grows by what is served, divided by the weights of all callers, and is
// at least the least virtual time of the callers that wait:
//   J. Bennett, H. Zhang: Hierarchical packet fair queueing algorithms.
//   SIGCOMM 1996.
// It grows as long as anything is served. So callers that arrive without end
// are not all due before a caller that has had more than its part.
//
// Bounded memory: a caller without requests is forgotten. It gains nothing by
// that either, because the lane's time has grown by what it was served.
//
// Pure bookkeeping, not thread-safe; the Scheduler owns it.
class CallerShares {
 public:
  // How long has_several() stays true after the last change of callers.
  static constexpr absl::Duration kMemory = absl::Minutes(10);

  // A request of the caller arrives. The result is valid until the last of the
  // caller's requests leaves.
  CallerShare& Enter(const std::string& name, int32_t weight,
                     MonotonicTime arrival);
  void Leave(CallerShare& share);

  // More segments of the caller wait.
  void AddWaiting(CallerShare& share, int64_t num_segments);

  // Called before the segments of a step are admitted.
  void BeginStep();

  void Charge(CallerShare& share, int64_t cost);

  // Whether several callers have requests, or requests of different callers
  // followed each other within kMemory before the last arrival.
  bool has_several() const {
    return shares_.size() > 1 || last_arrival_ < last_change_ + kMemory;
  }

  const std::unordered_map<std::string, CallerShare>& shares() const {
    return shares_;
  }
  int64_t total_weight() const { return total_weight_; }

 private:
  std::unordered_map<std::string, CallerShare> shares_;  // by name
  int64_t total_weight_ = 0;                             // of all shares
  double virtual_time_ = 0;                              // of the lane
  std::optional<std::string> last_caller_;
  MonotonicTime last_arrival_;
  // When a caller arrived that was not the one before.
  MonotonicTime last_change_ = MonotonicTime::InfinitePast();
};

}  // namespace sheaf
