// SPDX-License-Identifier: Apache-2.0

#include "server/http/plain_call.h"

#include <utility>

namespace sheaf {

PlainCall::PlainCall(HttpCallContext context, CallerLimiter* limiter,
                     Answer answer, HttpErrorForm error)
    : context_(std::move(context)),
      limiter_(limiter),
      answer_(std::move(answer)),
      error_(std::move(error)) {}

bool PlainCall::Begin() {
  if (limiter_ == nullptr) return true;
  absl::StatusOr<CallerLease> lease = limiter_->Acquire(context_.caller);
  if (lease.ok()) {
    lease_.emplace(*std::move(lease));
    return true;
  }
  context_.reply->Answer(error_(lease.status()));
  return false;
}

void PlainCall::OnBody(std::string body) {
  context_.request.body = std::move(body);
  absl::StatusOr<HttpResponse> response = answer_(context_.request);
  context_.reply->Answer(response.ok() ? *std::move(response)
                                       : error_(response.status()));
}

void PlainCall::OnNoBody(const absl::Status& reason) {
  context_.reply->Answer(error_(reason));
}

}  // namespace sheaf
