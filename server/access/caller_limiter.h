// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/access/auth_tokens.h"
#include "server/caller.h"

namespace sheaf {

class CallerLimiter;

// A caller's place among the running requests. Released when destroyed.
class CallerLease {
 public:
  CallerLease(CallerLease&& other) noexcept;
  CallerLease& operator=(CallerLease&&) = delete;
  ~CallerLease();

  // The name of the caller's token; empty if the server requires none.
  const std::string& token_name() const { return token_name_; }
  // Identifies the caller: the name of the token or, without tokens, the
  // address.
  const std::string& caller() const { return caller_; }

 private:
  friend class CallerLimiter;
  CallerLease(CallerLimiter* limiter, std::string caller,
              std::string token_name);
  CallerLimiter* limiter_;  // null: moved from, or no limit
  std::string caller_;
  std::string token_name_;
};

// Decides who may call the services, and with how many requests at a time. The
// RequestReader checks the contents of requests.
//
// Thread-safe. Outlives its leases.
class CallerLimiter {
 public:
  // `tokens` is not owned; null: no token is required.
  // `max_requests_per_caller` 0: no limit.
  CallerLimiter(AuthTokens* tokens, int32_t max_requests_per_caller)
      : tokens_(tokens), max_per_caller_(max_requests_per_caller) {}

  // Identifies the caller by its token or, without tokens, by its address.
  //   UNAUTHENTICATED     no bearer token, or an unknown one
  //   RESOURCE_EXHAUSTED  the caller has max_requests_per_caller running
  absl::StatusOr<CallerLease> Acquire(const Caller& caller);

 private:
  friend class CallerLease;
  void Release(const std::string& caller);

  AuthTokens* const tokens_;
  const int32_t max_per_caller_;
  absl::Mutex mu_;
  absl::flat_hash_map<std::string, int32_t> num_under_way_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sheaf
