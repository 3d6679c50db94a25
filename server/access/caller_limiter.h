// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/access/auth_tokens.h"
#include "server/access/caller.h"

namespace sheaf {

class CallerLimiter;

// A caller's part of what it may run at a time. Released when destroyed.
class CallerLease {
 public:
  CallerLease(CallerLease&& other) noexcept;
  CallerLease& operator=(CallerLease&&) = delete;
  ~CallerLease();

  // From now on the request counts as this many sequences, at least as many as
  // before. If it fails, nothing changes.
  //   INVALID_ARGUMENT    this request alone has too many
  //   RESOURCE_EXHAUSTED  the caller's requests together would have too many
  absl::Status GrowTo(int32_t num_sequences);

  // From now on the request counts as at least this many sequences, also if its
  // caller then has more than it may: a request that runs is not ended, but the
  // caller's next ones are refused. REQUIRES: num_sequences <= max_sequences().
  void CountAs(int32_t num_sequences);

  // The maximum number of sequences of one request.
  int32_t max_sequences() const;

  // The name of the caller's token; empty if the server requires none.
  const std::string& token_name() const { return token_name_; }
  // Identifies the caller: the name of the token, else the subject of the
  // client's certificate, else the address.
  const std::string& caller() const { return caller_; }
  // The caller's share of a busy server, relative to others.
  int32_t weight() const { return weight_; }

 private:
  friend class CallerLimiter;
  CallerLease(CallerLimiter* limiter, std::string caller)
      : limiter_(limiter), caller_(std::move(caller)) {}
  CallerLimiter* limiter_;  // null once moved from
  std::string caller_;
  std::string token_name_;
  int32_t weight_ = 1;
  int32_t num_sequences_ = 0;
};

// Decides who may call the services, and how much at a time. A request counts
// as its sequences: one until it has been read, then its beams. The
// RequestReader checks the contents of requests.
//
// Thread-safe. Outlives its leases.
class CallerLimiter {
 public:
  // `tokens` is not owned; null: no token is required. `max_per_caller` is
  // --max_requests_per_caller, in sequences; 0: no limit.
  CallerLimiter(AuthTokens* tokens, int32_t max_per_caller)
      : tokens_(tokens), max_per_caller_(max_per_caller) {}

  // A request of one sequence.
  //   UNAUTHENTICATED     no bearer token, or an unknown one
  //   RESOURCE_EXHAUSTED  the caller would have too many sequences
  absl::StatusOr<CallerLease> Acquire(const Caller& caller);

 private:
  friend class CallerLease;
  // Adds `more` sequences to a request that has `own`.
  absl::Status Add(const std::string& caller, int32_t own, int32_t more);
  // Adds `more` sequences, which may be negative, whatever the caller has.
  void Count(const std::string& caller, int32_t more);

  AuthTokens* const tokens_;
  const int32_t max_per_caller_;
  absl::Mutex mu_;
  absl::flat_hash_map<std::string, int32_t> num_sequences_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sheaf
