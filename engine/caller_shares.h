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

  // The virtual time that the caller reaches with what it has admitted. The
  // caller with the least is served next.
  double due() const {
    return virtual_time + static_cast<double>(reserved_cost) / weight;
  }
  bool holds_nothing() const { return num_sequences == 0; }
};

// The callers that have requests in a lane, in the order of their turns:
// start-time fair queueing, with the cost of what is served in the place of
// time.
//   P. Goyal, H. Vin, H. Cheng: Start-time fair queueing. SIGCOMM 1996.
//   W. Jin, J. Chase, J. Kaur: Interposed proportional sharing for a storage
//   service utility. SIGMETRICS 2004 (several requests in service at a time).
//
// Two callers that always have segments waiting get service in proportion to
// their weights, up to the cost of what runs at a time, because the one that
// has had less is served next. A caller that had nothing waiting begins at the
// largest virtual time of all callers, so it gains nothing by having been idle.
// The papers let it begin at the time of the request in service. Then callers
// without end, each with one request, could pass a caller that is ahead for
// ever; here they can pass it only while it has something running.
//
// Bounded memory: a caller without requests is forgotten. Pure bookkeeping, not
// thread-safe; the Scheduler owns it.
class CallerShares {
 public:
  // How long has_several() stays true after the last change of callers.
  static constexpr absl::Duration kMemory = absl::Minutes(10);

  // A request of the caller arrives. The result is valid until the last of its
  // requests leaves.
  CallerShare& Enter(const std::string& name, int32_t weight,
                     MonotonicTime arrival);
  void Leave(CallerShare& share);

  // More segments of the caller wait.
  void AddWaiting(CallerShare& share, int64_t num_segments);

  void Charge(CallerShare& share, int64_t cost);

  // Whether several callers have requests, or requests of different callers
  // followed each other within kMemory before the last arrival.
  bool has_several() const {
    return shares_.size() > 1 || last_arrival_ < last_change_ + kMemory;
  }

  const std::unordered_map<std::string, CallerShare>& shares() const {
    return shares_;
  }
  double max_virtual_time() const { return max_virtual_time_; }

 private:
  std::unordered_map<std::string, CallerShare> shares_;  // by name
  double max_virtual_time_ = 0;                          // never decreases
  std::optional<std::string> last_caller_;
  MonotonicTime last_arrival_;
  // When a caller arrived that was not the one before.
  MonotonicTime last_change_ = MonotonicTime::InfinitePast();
};

}  // namespace sheaf
