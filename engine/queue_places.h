// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "engine/request.h"

namespace sheaf {

// The places of a lane's queue, by caller. A request has one until its first
// admission.
//
// If the queue is full, a caller may take a place from the caller with the most
// requests per weight in it, as long as it has fewer per weight afterwards than
// that caller had before. So callers that fill the queue share it in proportion
// to their weights, and no two of them take a place from each other in turn.
//
// Pure bookkeeping, not thread-safe; the engine's mutex guards it.
class QueuePlaces {
 public:
  static constexpr RequestId kNoRequest = 0;

  explicit QueuePlaces(int32_t max_places) : max_places_(max_places) {}

  // Gives a place to a request, whose id is larger than all before. Returns the
  // request that has lost its place for it, the newest of its caller, or
  // kNoRequest. RESOURCE_EXHAUSTED if there is no place for the request.
  absl::StatusOr<RequestId> Take(RequestId id, const std::string& caller,
                                 int32_t weight);

  // The request no longer waits. Does nothing if it has lost its place.
  void Leave(RequestId id);

  int32_t size() const { return static_cast<int32_t>(caller_of_.size()); }
  int32_t max_places() const { return max_places_; }

 private:
  struct Caller {
    int32_t weight = 1;
    std::set<RequestId> waiting;  // never empty
    int64_t size() const { return static_cast<int64_t>(waiting.size()); }
  };
  // The request that gives its place to one of this caller, or kNoRequest.
  RequestId NewestOfLargest(const std::string& caller, int32_t weight) const;

  const int32_t max_places_;
  std::unordered_map<std::string, Caller> callers_;
  absl::flat_hash_map<RequestId, std::string> caller_of_;
};

}  // namespace sheaf
