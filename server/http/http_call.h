// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/monotonic_time.h"
#include "server/access/caller.h"
#include "server/http/http_message.h"

namespace sheaf {

// The way back to the client of one call; a connection implements it.
//
// Post() and LimitLife() may be called from any thread. The other functions are
// called on the connection's thread, that is by functions given to Post() and
// by functions of HttpCall.
class HttpReply {
 public:
  virtual ~HttpReply() = default;

  // Has `task` called on the connection's thread, in the order of the calls.
  virtual void Post(std::function<void()> task) = 0;
  // The client must have read the whole answer at `time`, or is dropped.
  virtual void LimitLife(MonotonicTime time) = 0;

  // Ends the call with a whole answer.
  virtual void Answer(HttpResponse response) = 0;

  // An answer in parts: BeginParts() once with an answer without a body, then
  // SendPart() with what is not empty, then EndParts() with the last part,
  // which ends the call and may be empty. After each SendPart() nothing may be
  // sent until HttpCall::OnSent(). The last part travels with the end of the
  // answer.
  virtual void BeginParts(HttpResponse head) = 0;
  virtual void SendPart(absl::string_view part) = 0;
  virtual void EndParts(absl::string_view last_part) = 0;
};

// A request with its body.
struct HttpRequest {
  HttpHeader header;
  // The parts of the path that the route leaves open, in their order.
  std::vector<std::string> path_values;
  std::string body;
  // CallerLease::caller(); empty before the caller is authorized.
  std::string caller = "";
};

// One call of a client, from the header of its request to the end of the
// answer. A subclass answers it. The connection calls these functions on its
// thread:
//   1. Begin(). If it returns false, the body is not read and the call has
//   ended
//      or will end with an answer.
//   2. Otherwise one of OnBody() and OnNoBody().
//   3. OnSent() and OnClientGone() when these things happen. After
//      OnClientGone() the call ends as always; the answer is dropped.
//   4. OnClosed() once the call has ended and its answer is sent or dropped.
//
// Life: shared by the connection until OnClosed() returns.
class HttpCall : public std::enable_shared_from_this<HttpCall> {
 public:
  virtual ~HttpCall() = default;

  [[nodiscard]] virtual bool Begin() = 0;
  virtual void OnBody(std::string body) = 0;
  // The body will not come, or cannot be used: the status has the reason
  // (HttpStatusOf()).
  virtual void OnNoBody(const absl::Status& reason) = 0;
  virtual void OnSent() {}
  virtual void OnClientGone() {}
  // The client does not read its answer, and is dropped.
  virtual void OnUnread() {}
  virtual void OnClosed() {}
};

// How a dialect reports an error.
using HttpErrorForm = std::function<HttpResponse(const absl::Status&)>;

// {"error": "..."}, which is also the form where no dialect is concerned.
HttpResponse PlainError(const absl::Status& status);

// Everything that a call is made of.
struct HttpCallContext {
  HttpRequest request;  // without body
  Caller caller;
  std::shared_ptr<HttpReply> reply;
};

}  // namespace sheaf
