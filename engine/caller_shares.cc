// SPDX-License-Identifier: Apache-2.0

#include "engine/caller_shares.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sheaf {

CallerShare& CallerShares::Enter(const std::string& name, int32_t weight,
                                 MonotonicTime arrival) {
  if (last_caller_.has_value() && *last_caller_ != name) last_change_ = arrival;
  last_caller_ = name;
  last_arrival_ = arrival;
  CallerShare& share = shares_[name];
  total_weight_ += weight - (share.num_requests > 0 ? share.weight : 0);
  share.name = name;
  share.weight = weight;  // of the newest request, because it can change
  ++share.num_requests;
  return share;
}

void CallerShares::Leave(CallerShare& share) {
  if (--share.num_requests > 0) return;
  total_weight_ -= share.weight;
  shares_.erase(shares_.find(share.name));
}

void CallerShares::AddWaiting(CallerShare& share, int64_t num_segments) {
  if (share.num_waiting == 0 && share.due() < virtual_time_) {
    share.virtual_time += virtual_time_ - share.due();
  }
  share.num_waiting += num_segments;
}

void CallerShares::BeginStep() {
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [name, share] : shares_) {
    if (share.num_waiting > 0) least = std::min(least, share.virtual_time);
  }
  if (std::isfinite(least)) virtual_time_ = std::max(virtual_time_, least);
}

void CallerShares::Charge(CallerShare& share, int64_t cost) {
  share.virtual_time += static_cast<double>(cost) / share.weight;
  virtual_time_ +=
      static_cast<double>(cost) / static_cast<double>(total_weight_);
}

}  // namespace sheaf
