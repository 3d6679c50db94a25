// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "server/access/caller.h"

namespace sheaf {

class OpenCalls;

// The place of one open call; free again when destroyed.
class CallPlace {
 public:
  CallPlace(CallPlace&& other) noexcept
      : calls_(std::exchange(other.calls_, nullptr)),
        address_(std::move(other.address_)),
        peer_(std::move(other.peer_)),
        number_(other.number_) {}
  CallPlace& operator=(CallPlace&&) = delete;
  ~CallPlace();

 private:
  friend class OpenCalls;
  CallPlace(OpenCalls* calls, std::string address, std::string peer,
            uint64_t number)
      : calls_(calls),
        address_(std::move(address)),
        peer_(std::move(peer)),
        number_(number) {}
  OpenCalls* calls_;  // null: moved from
  std::string address_, peer_;
  uint64_t number_;
};

// A limited number of places for the calls of callers that nobody knows yet.
//
// A new call always gets a place. While all are taken, it takes one from the
// address with the most calls, there from the connection with the most calls,
// and there from the oldest call. A client that holds many calls open therefore
// does not keep others out.
//
// Thread-safe. Outlives the places that are taken.
class OpenCalls {
 public:
  explicit OpenCalls(int32_t max_calls) : max_calls_(max_calls) {}
  OpenCalls(const OpenCalls&) = delete;
  OpenCalls& operator=(const OpenCalls&) = delete;

  int32_t max_calls() const { return max_calls_; }

  // `end` ends the call; it is called if another call takes the place.
  CallPlace Take(const Caller& caller, std::function<void()> end);

 private:
  friend class CallPlace;
  // The ends of a connection's calls, in the order in which they came.
  using Calls = std::map<uint64_t, std::function<void()>>;
  struct Address {
    int32_t num_calls = 0;
    absl::flat_hash_map<std::string, Calls> by_peer;
  };

  // Frees a place, and returns the end of its call.
  std::function<void()> TakeOut() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Returns null if the call is not there.
  std::function<void()> Remove(const std::string& address,
                               const std::string& peer, uint64_t number)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Release(const CallPlace& place);

  const int32_t max_calls_;
  absl::Mutex mu_;
  int32_t num_calls_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t last_number_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<std::string, Address> by_address_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sheaf
