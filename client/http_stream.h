// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/client.h"
#include "client/http_answer.h"

namespace sheaf {

// The server that all connections go to.
struct HttpTarget {
  using Endpoint = boost::asio::generic::stream_protocol::endpoint;

  std::vector<Endpoint> endpoints;                 // tried in turn
  std::unique_ptr<boost::asio::ssl::context> tls;  // null: not encrypted
  std::string tls_name;  // that the certificate must be issued for
};

// One connection, opened by its first request, with one request at a time.
//
// Life: held by its operations in progress; an open connection always reads.
// Not thread-safe: used on the thread of `io`.
class HttpStream : public std::enable_shared_from_this<HttpStream> {
 public:
  struct Request {
    std::string bytes;  // header and body
    bool is_streamed = false;
    absl::Duration timeout = absl::InfiniteDuration();
    std::function<void()> on_output;
    Client::OnDone on_done;
  };

  // `target` is not owned. `on_idle` is called before the on_done of a request
  // if the connection can be used again.
  HttpStream(boost::asio::io_context& io, const HttpTarget& target,
             std::function<void(std::shared_ptr<HttpStream>)> on_idle);

  // REQUIRES: no other request is in progress.
  void Start(Request request);
  // False once the server has ended an idle connection.
  bool is_usable() const { return state_ != State::kClosed; }

 private:
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Parser =
      boost::beast::http::response_parser<boost::beast::http::string_body>;
  enum class State { kNew, kOpen, kClosed };

  void Connect();
  void ShakeHands();
  void Send();
  void BeginReading();
  void Read();
  void OnBytes();
  void OnMessage(const std::string& json);
  void EndAnswer();
  void ArmTimer();
  // Ends the request with an error, and the connection with it.
  void Fail(const absl::Status& status);
  void FailAt(const char* doing, const boost::system::error_code& error);
  void Close();

  const HttpTarget& target_;
  const std::function<void(std::shared_ptr<HttpStream>)> on_idle_;
  std::variant<Socket, boost::asio::ssl::stream<Socket>> stream_;
  boost::asio::steady_timer timer_;
  State state_ = State::kNew;
  std::string out_;  // bytes on their way
  bool is_sending_ = false;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;

  // State of the current request.
  std::optional<Request> request_;
  EventReader events_;
  size_t num_seen_ = 0;  // bytes of the body that events_ has
  absl::Status status_;  // the first error of the answer
  std::optional<v1::Usage> usage_;
};

}  // namespace sheaf
