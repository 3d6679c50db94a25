// SPDX-License-Identifier: Apache-2.0

#include "engine/queue_places.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace sheaf {

absl::StatusOr<RequestId> QueuePlaces::Take(RequestId id,
                                            const std::string& caller,
                                            int32_t weight) {
  RequestId loser = kNoRequest;
  if (size() >= max_places_) {
    loser = NewestOfLargest(caller, weight);
    if (loser == kNoRequest) {
      return absl::ResourceExhaustedError(absl::StrFormat(
          "%d requests wait already; this server queues at most %d", size(),
          max_places_));
    }
    Leave(loser);
  }
  Caller& own = callers_[caller];
  own.weight = weight;
  own.waiting.insert(id);
  caller_of_.emplace(id, caller);
  return loser;
}

void QueuePlaces::Leave(RequestId id) {
  const auto found = caller_of_.find(id);
  if (found == caller_of_.end()) return;
  const auto caller = callers_.find(found->second);
  caller->second.waiting.erase(id);
  if (caller->second.waiting.empty()) callers_.erase(caller);
  caller_of_.erase(found);
}

RequestId QueuePlaces::NewestOfLargest(const std::string& caller,
                                       int32_t weight) const {
  const auto largest = std::max_element(
      callers_.begin(), callers_.end(), [](const auto& a, const auto& b) {
        return a.second.size() * b.second.weight <
               b.second.size() * a.second.weight;
      });
  const auto own = callers_.find(caller);
  const int64_t own_size = own == callers_.end() ? 0 : own->second.size();
  const Caller& other = largest->second;
  const bool is_fair = (own_size + 1) * other.weight < other.size() * weight;
  return is_fair ? *other.waiting.rbegin() : kNoRequest;
}

}  // namespace sheaf
