// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/access/caller_limiter.h"
#include "server/http/http_call.h"

namespace sheaf {

// Answers a request at once, on the connection's thread. For what needs no
// model: lists, settings, health.
class PlainCall final : public HttpCall {
 public:
  using Answer =
      std::function<absl::StatusOr<HttpResponse>(const HttpRequest&)>;

  // `limiter` is not owned; null: anybody may call.
  PlainCall(HttpCallContext context, CallerLimiter* limiter, Answer answer,
            HttpErrorForm error);

  bool Begin() override;
  void OnBody(std::string body) override;
  void OnNoBody(const absl::Status& reason) override;
  void OnClosed() override { lease_.reset(); }

 private:
  HttpCallContext context_;
  CallerLimiter* const limiter_;
  const Answer answer_;
  const HttpErrorForm error_;
  std::optional<CallerLease> lease_;  // from Begin() to OnClosed()
};

}  // namespace sheaf
