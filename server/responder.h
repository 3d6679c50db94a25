// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/status/status.h"
#include "base/monotonic_time.h"
#include "server/answer_part.h"

namespace sheaf {

// The way back to one client. A transport implements it; an Exchange calls it.
//
// Threads: Authorize() and Start() of the exchange may call Fail() and
// LimitReading() on their thread. After Start() has handed the request to the
// engine, all calls come from the delivery thread. No two calls overlap, and
// none may block.
class Responder {
 public:
  virtual ~Responder() = default;

  // Whether Send() may be called at all. Constant. A unary responder returns
  // false and receives the whole answer with Finish().
  virtual bool TakesParts() const = 0;

  // False while the part that Send() took is on its way to the client; then
  // nothing may be called. Exchange::OnWritable() tells that it became true.
  virtual bool IsReady() const = 0;

  // The client must have read the whole answer at `deadline`. The transport
  // drops a client that has not, and calls Exchange::OnClientGone(). Called
  // once, before the request runs.
  virtual void LimitReading(MonotonicTime deadline) = 0;

  // REQUIRES: TakesParts() and IsReady().
  virtual void Send(const AnswerPart& part) = 0;

  // Exactly one of these is called, once, and it is the last call. Finish()
  // gets what Send() has not got. REQUIRES: IsReady().
  virtual void Finish(const AnswerPart& rest, const AnswerSummary& summary) = 0;
  virtual void Fail(const absl::Status& status) = 0;
};

}  // namespace sheaf
