// SPDX-License-Identifier: Apache-2.0

#include "server/access/caller_limiter.h"

#include <limits>
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

CallerLease::CallerLease(CallerLease&& other) noexcept
    : limiter_(std::exchange(other.limiter_, nullptr)),
      caller_(std::move(other.caller_)),
      token_name_(std::move(other.token_name_)),
      weight_(other.weight_),
      num_sequences_(other.num_sequences_) {}

CallerLease::~CallerLease() {
  if (limiter_ != nullptr) limiter_->Count(caller_, -num_sequences_);
}

absl::Status CallerLease::GrowTo(int32_t num_sequences) {
  SHEAF_CHECK(num_sequences >= num_sequences_);
  absl::Status status =
      limiter_->Add(caller_, num_sequences_, num_sequences - num_sequences_);
  if (status.ok()) num_sequences_ = num_sequences;
  return status;
}

void CallerLease::CountAs(int32_t num_sequences) {
  if (num_sequences <= num_sequences_) return;
  limiter_->Count(caller_, num_sequences - num_sequences_);
  num_sequences_ = num_sequences;
}

int32_t CallerLease::max_sequences() const {
  const int32_t max = limiter_->max_per_caller_;
  return max == 0 ? std::numeric_limits<int32_t>::max() : max;
}

absl::StatusOr<CallerLease> CallerLimiter::Acquire(const Caller& caller) {
  std::optional<AuthTokens::Holder> holder;
  if (tokens_ != nullptr) {
    const std::optional<absl::string_view> token =
        BearerToken(caller.authorization);
    if (!token.has_value()) {
      return absl::UnauthenticatedError(
          "authorization is missing; this server asks for \"Bearer TOKEN\"");
    }
    holder = tokens_->HolderOf(*token);
    if (!holder.has_value()) {
      return absl::UnauthenticatedError(
          "the bearer token in authorization is not one of this server's");
    }
  }
  CallerLease lease(this, holder.has_value() ? holder->name
                          : caller.certificate_subject.empty()
                              ? caller.address
                              : caller.certificate_subject);
  if (holder.has_value()) {
    lease.token_name_ = holder->name;
    lease.weight_ = holder->weight;
  }
  if (absl::Status status = lease.GrowTo(1); !status.ok()) return status;
  return lease;
}

absl::Status CallerLimiter::Add(const std::string& caller, int32_t own,
                                int32_t more) {
  if (max_per_caller_ == 0 || more == 0) return absl::OkStatus();
  if (own + more > max_per_caller_) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the request runs %d sequences; this server allows a caller %d at a "
        "time (--max_requests_per_caller)",
        own + more, max_per_caller_));
  }
  absl::MutexLock lock(&mu_);
  const auto it = num_sequences_.find(caller);
  const int32_t num_sequences = it == num_sequences_.end() ? 0 : it->second;
  if (num_sequences + more > max_per_caller_) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "requests of \"%s\" run %d sequences, and this one asks for %d more; "
        "this server allows %d at a time (--max_requests_per_caller)",
        caller, num_sequences, more, max_per_caller_));
  }
  num_sequences_[caller] += more;
  return absl::OkStatus();
}

void CallerLimiter::Count(const std::string& caller, int32_t more) {
  if (max_per_caller_ == 0 || more == 0) return;
  absl::MutexLock lock(&mu_);
  const auto it = num_sequences_.try_emplace(caller, 0).first;
  it->second += more;
  SHEAF_CHECK(it->second >= 0);
  if (it->second == 0) num_sequences_.erase(it);
}

}  // namespace sheaf
