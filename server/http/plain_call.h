// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/access/caller_limiter.h"
#include "server/fair_executor.h"
#include "server/http/http_call.h"

namespace sheaf {

// Answers a request that needs no model, such as lists, settings and health: at
// once on the connection's thread, or on a reading thread if it takes longer.
class PlainCall final : public HttpCall {
 public:
  using Answer =
      std::function<absl::StatusOr<HttpResponse>(const HttpRequest&)>;

  // `limiter` and `reading` are not owned and may be null. Without a limiter
  // anybody may call. Without `reading` the answer is made at once.
  PlainCall(HttpCallContext context, CallerLimiter* limiter, Answer answer,
            HttpErrorForm error, FairExecutor* reading = nullptr);

  bool Begin() override;
  void OnBody(std::string body) override;
  void OnNoBody(const absl::Status& reason) override;
  void OnClosed() override { lease_.reset(); }

 private:
  void End(absl::StatusOr<HttpResponse> response);

  HttpCallContext context_;
  CallerLimiter* const limiter_;
  FairExecutor* const reading_;
  const Answer answer_;
  const HttpErrorForm error_;
  std::optional<CallerLease> lease_;  // from Begin() to OnClosed()
};

}  // namespace sheaf
