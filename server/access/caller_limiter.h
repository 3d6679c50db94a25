#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "server/access/auth_tokens.h"

namespace sheaf {

class CallerLimiter;

// A caller's place among the requests under way; given back when destroyed.
class CallerLease {
 public:
  CallerLease(CallerLease&& other) noexcept;
  CallerLease& operator=(CallerLease&&) = delete;
  ~CallerLease();

  // The token's; empty if the server asks for none.
  const std::string& token_name() const { return token_name_; }
  // Whose turn it is: the token's name or, without tokens, the address.
  const std::string& caller() const { return caller_; }

 private:
  friend class CallerLimiter;
  CallerLease(CallerLimiter* limiter, std::string caller,
              std::string token_name);
  CallerLimiter*
      limiter_;  // null once moved from, or if places are not counted
  std::string caller_;
  std::string token_name_;
};

// Who may call the services, and with how many requests at a time. What a
// request says is for the RequestReader.
//
// Thread-safe. Outlives its passes.
class CallerLimiter {
 public:
  // `tokens` is not owned; null: nobody is asked for one.
  // `max_requests_per_caller` 0: places are not counted.
  CallerLimiter(AuthTokens* tokens, int32_t max_requests_per_caller)
      : tokens_(tokens), max_per_caller_(max_requests_per_caller) {}

  // `peer` is gRPC's ("ipv4:192.0.2.1:12345"), `authorization` the call's
  // metadata of that name. A caller is a token's name or, without tokens, an
  // address.
  //   UNAUTHENTICATED     there is no bearer token, or not one of the tokens
  //   RESOURCE_EXHAUSTED  the caller has max_requests_per_caller under way
  absl::StatusOr<CallerLease> Acquire(
      absl::string_view peer, std::optional<absl::string_view> authorization);

 private:
  friend class CallerLease;
  void Release(const std::string& caller);

  AuthTokens* const tokens_;
  const int32_t max_per_caller_;
  absl::Mutex mu_;
  absl::flat_hash_map<std::string, int32_t> num_under_way_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sheaf
