// SPDX-License-Identifier: Apache-2.0

#include "server/http/plain_call.h"

#include <utility>

namespace sheaf {

PlainCall::PlainCall(HttpCallContext context, CallerLimiter* limiter,
                     Answer answer, HttpErrorForm error, FairExecutor* reading)
    : context_(std::move(context)),
      limiter_(limiter),
      reading_(reading),
      answer_(std::move(answer)),
      error_(std::move(error)) {}

bool PlainCall::Begin() {
  if (limiter_ == nullptr) return true;
  absl::StatusOr<CallerLease> lease = limiter_->Acquire(context_.caller);
  if (lease.ok()) {
    lease_.emplace(*std::move(lease));
    context_.request.caller = lease_->caller();
    return true;
  }
  context_.reply->Answer(error_(lease.status()));
  return false;
}

void PlainCall::OnBody(std::string body) {
  context_.request.body = std::move(body);
  if (reading_ == nullptr) return End(answer_(context_.request));
  FairExecutor::Text text;
  text.caller = context_.caller.address;
  text.bytes = context_.request.body.size();
  text.read = [self = std::static_pointer_cast<PlainCall>(shared_from_this())] {
    // A function must be copyable.
    const auto response = std::make_shared<absl::StatusOr<HttpResponse>>(
        self->answer_(self->context_.request));
    self->context_.reply->Post(
        [self, response] { self->End(std::move(*response)); });
  };
  // The bodies of all clients together are limited, so it need not be refused.
  reading_->Run(std::move(text));
}

void PlainCall::End(absl::StatusOr<HttpResponse> response) {
  context_.reply->Answer(response.ok() ? *std::move(response)
                                       : error_(response.status()));
}

void PlainCall::OnNoBody(const absl::Status& reason) {
  context_.reply->Answer(error_(reason));
}

}  // namespace sheaf
