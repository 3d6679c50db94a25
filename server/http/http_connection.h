// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <openssl/ssl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/monotonic_time.h"
#include "server/access/intake.h"
#include "server/http/byte_stream.h"
#include "server/http/http_call.h"
#include "server/http/http_host.h"
#include "server/http/request_parser.h"

namespace sheaf {

class HttpConnection;

// One thread of the front: its connections and what they share.
struct HttpLoop {
  boost::asio::io_context io{/*concurrency_hint=*/1};
  std::unordered_set<std::shared_ptr<HttpConnection>> connections;
  std::string scratch = std::string(16 << 10, '\0');  // bytes as they arrive
};

// One connection: reads a request, has a call answer it, and repeats.
//
// A connection has one call at a time. A client that sends more before it has
// the answer (pipelining) gets that answer, and then the connection ends; the
// rest is not looked at. A client that ends its side of the connection before
// it has the answer has left.
//
// Memory: between two requests a connection holds no buffer.
//
// Life: held by the loop until it is closed, and by its call.
//
// Not thread-safe, except for Post() and LimitLife(): everything else happens
// on the loop's thread.
class HttpConnection final
    : public HttpReply,
      public std::enable_shared_from_this<HttpConnection> {
 public:
  // `host` and `loop` are not owned. Takes ownership of the non-blocking
  // socket. `tls` may be null.
  HttpConnection(HttpHost& host, HttpLoop& loop, int fd,
                 const std::shared_ptr<SSL_CTX>& tls);

  void Start();
  // The server drains: a body that has not arrived is not waited for.
  void OnDrain();
  // Ends the connection at once. A call that is left ends like that of a client
  // that has gone.
  void Drop();

  void Post(std::function<void()> task) override;
  void LimitLife(MonotonicTime time) override;
  void Answer(HttpResponse response) override;
  void BeginParts(HttpResponse head) override;
  void SendPart(absl::string_view part) override;
  void EndParts(absl::string_view last_part) override;

 private:
  enum class State {
    kHandshake,
    kIdle,    // no byte of a request is there
    kHeader,  // a part of the header is
    kBody,    // the call has begun
    kRunning,
    kAnswering,  // bytes of the answer are on their way
    kLingering,  // until the client has read the last answer
    kClosed,     // a call may be left
  };

  void ShakeHands();
  void Pump();
  void OnBytes(absl::string_view bytes);
  void OnBytesOfRequest(absl::string_view bytes);
  void OnExtraBytes(size_t num_bytes);
  void OnEnd();  // the client sends no more

  void OnHeader();
  void AnswerWithoutCall(HttpResponse response);
  void AnswerOptions(absl::string_view allowed);
  void BeginCall(const HttpRouter::Route& route,
                 std::vector<std::string> values);
  bool TakeBodyBytes();
  void OnBody();
  void FailBody(const absl::Status& reason);
  void EndCall();

  std::string HeadOf(const HttpResponse& response, absl::string_view framing);
  void AppendPart(absl::string_view part, std::string& bytes) const;
  void Write(std::string bytes);
  void WriteSome();
  void OnWritten();
  void Linger();

  void SetDeadline(absl::Duration after);
  void SetDeadlineAt(MonotonicTime time);
  void ArmTimer();
  void OnTimeout();
  void Close();

  HttpHost& host_;
  HttpLoop& loop_;
  ByteStream stream_;
  boost::asio::steady_timer timer_;
  const MonotonicTime begin_;
  MonotonicTime deadline_ = MonotonicTime::InfiniteFuture();
  MonotonicTime timer_time_ = MonotonicTime::InfiniteFuture();
  MonotonicTime life_limit_ = MonotonicTime::InfiniteFuture();
  State state_ = State::kHandshake;
  bool is_pumping_ = false;
  bool is_awaiting_bytes_ = false;
  bool is_awaiting_room_ = false;
  bool must_close_ = false;         // after this answer
  bool has_no_more_bytes_ = false;  // the client has ended its side
  size_t num_extra_bytes_ = 0;
  std::string subject_;  // of the client's certificate

  // State of the current request.
  std::unique_ptr<RequestParser> parser_;  // until the body is there
  bool is_head_ = false;
  bool is_version_1_0_ = false;
  const HttpRouter::Route* route_ = nullptr;
  MonotonicTime arrival_;
  std::string request_id_;
  HttpFields cors_fields_;
  std::shared_ptr<HttpCall> call_;
  std::string address_;  // of the caller
  std::optional<IntakeBytes> body_bytes_;
  size_t num_body_bytes_ = 0;  // that body_bytes_ counts
  bool is_in_parts_ = false;
  bool is_last_ = false;  // what is written ends the answer
  std::string out_;
  size_t num_written_ = 0;
};

}  // namespace sheaf
