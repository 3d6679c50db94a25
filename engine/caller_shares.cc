// SPDX-License-Identifier: Apache-2.0

#include "engine/caller_shares.h"

#include <algorithm>

namespace sheaf {

CallerShare& CallerShares::Enter(const std::string& name, int32_t weight,
                                 MonotonicTime arrival) {
  if (last_caller_.has_value() && *last_caller_ != name) last_change_ = arrival;
  last_caller_ = name;
  last_arrival_ = arrival;
  CallerShare& share = shares_[name];
  share.name = name;
  share.weight = weight;  // of the newest request, because it can change
  ++share.num_requests;
  return share;
}

void CallerShares::Leave(CallerShare& share) {
  if (--share.num_requests == 0) shares_.erase(shares_.find(share.name));
}

void CallerShares::AddWaiting(CallerShare& share, int64_t num_segments) {
  if (share.num_waiting == 0) share.virtual_time = max_virtual_time_;
  share.num_waiting += num_segments;
}

void CallerShares::Charge(CallerShare& share, int64_t cost) {
  share.virtual_time += static_cast<double>(cost) / share.weight;
  max_virtual_time_ = std::max(max_virtual_time_, share.virtual_time);
}

}  // namespace sheaf
