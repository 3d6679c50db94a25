// SPDX-License-Identifier: Apache-2.0

#include "server/access/caller_limiter.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/check.h"

namespace sheaf {
namespace {

// The token of "Bearer TOKEN"; the scheme's case does not matter (RFC 9110).
std::optional<absl::string_view> BearerToken(absl::string_view authorization) {
  constexpr absl::string_view kScheme = "Bearer ";
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) return std::nullopt;
  return authorization.substr(kScheme.size());
}

}  // namespace

CallerLease::CallerLease(CallerLimiter* limiter, std::string caller,
                         std::string token_name)
    : limiter_(limiter),
      caller_(std::move(caller)),
      token_name_(std::move(token_name)) {}

CallerLease::CallerLease(CallerLease&& other) noexcept
    : limiter_(std::exchange(other.limiter_, nullptr)),
      caller_(std::move(other.caller_)),
      token_name_(std::move(other.token_name_)) {}

CallerLease::~CallerLease() {
  if (limiter_ != nullptr) limiter_->Release(caller_);
}

absl::StatusOr<CallerLease> CallerLimiter::Acquire(const Caller& caller) {
  std::string token_name;
  if (tokens_ != nullptr) {
    const std::optional<absl::string_view> token =
        BearerToken(caller.authorization);
    if (!token.has_value()) {
      return absl::UnauthenticatedError(
          "authorization is missing; this server asks for \"Bearer TOKEN\"");
    }
    std::optional<std::string> known = tokens_->NameOf(*token);
    if (!known.has_value()) {
      return absl::UnauthenticatedError(
          "the bearer token in authorization is not one of this server's");
    }
    token_name = *std::move(known);
  }
  std::string name = tokens_ != nullptr ? token_name : caller.address;
  if (max_per_caller_ == 0) {
    return CallerLease(nullptr, std::move(name), std::move(token_name));
  }
  absl::MutexLock lock(&mu_);
  int32_t& num_under_way = num_under_way_[name];
  if (num_under_way >= max_per_caller_) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "%d requests of \"%s\" are under way; this server allows %d at a time",
        num_under_way, name, max_per_caller_));
  }
  ++num_under_way;
  return CallerLease(this, std::move(name), std::move(token_name));
}

void CallerLimiter::Release(const std::string& caller) {
  absl::MutexLock lock(&mu_);
  const auto it = num_under_way_.find(caller);
  SHEAF_CHECK(it != num_under_way_.end() && it->second > 0);
  if (--it->second == 0) num_under_way_.erase(it);
}

}  // namespace sheaf
