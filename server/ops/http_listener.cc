// SPDX-License-Identifier: Apache-2.0

#include "server/ops/http_listener.h"

#include <pthread.h>
#include <sys/socket.h>
#include <zlib.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <limits>
#include <list>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace sheaf {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

using Request = http::request<http::empty_body>;
using Response = http::response<http::string_body>;

// How long to wait for file descriptors.
constexpr std::chrono::milliseconds kNoRoomPause(100);
// How long a peer may take to close after its last answer.
constexpr std::chrono::seconds kLingerTimeout(1);
// Room for a header and some of the requests after it.
constexpr size_t kBufferBytes = size_t{2} * HttpListener::kMaxHeaderBytes;

// "gzip" or "*" in Accept-Encoding, unless its weight is 0.
bool AcceptsGzip(const Request& request) {
  for (const auto& [coding, parameters] :
       http::ext_list(request[http::field::accept_encoding])) {
    if (!beast::iequals(coding, "gzip") && coding != "*") continue;
    bool is_refused = false;
    for (const auto& [name, value] : parameters) {
      is_refused |= beast::iequals(name, "q") &&
                    std::strtod(std::string(value).c_str(), nullptr) == 0;
    }
    return !is_refused;
  }
  return false;
}

std::string Gzip(const std::string& text) {
  constexpr int kGzipWindowBits = 15 + 16;  // 16: with gzip's header
  constexpr int kMemoryLevel = 8;
  z_stream stream = {};
  SHEAF_CHECK(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindowBits,
                           kMemoryLevel, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  SHEAF_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// An answer that ends the connection.
Response ErrorResponse(http::status status) {
  Response response(status, /*version=*/11);
  response.set(http::field::content_type, "text/plain");
  response.body() =
      absl::StrCat(std::string(http::obsolete_reason(status)), "\n");
  response.keep_alive(false);
  response.prepare_payload();
  return response;
}

// Without the query; "http://HOST/path" is a form of "/path".
beast::string_view PathOf(beast::string_view target) {
  constexpr beast::string_view kScheme = "http://";
  if (target.starts_with(kScheme)) {
    target.remove_prefix(kScheme.size());
    target.remove_prefix(std::min(target.find('/'), target.size()));
  }
  return target.substr(0, target.find('?'));
}

Response ResponseTo(const Request& request, const HttpListener::Page& page) {
  const bool is_head = request.method() == http::verb::head;
  if (request.method() != http::verb::get && !is_head) {
    Response response = ErrorResponse(http::status::method_not_allowed);
    response.set(http::field::allow, "GET, HEAD");
    return response;
  }
  Response response = ErrorResponse(http::status::not_found);
  if (PathOf(request.target()) == page.path) {
    response.result(http::status::ok);
    response.set(http::field::content_type, page.content_type);
    response.set(http::field::vary, "Accept-Encoding");
    response.body() = page.render();
    if (AcceptsGzip(request)) {
      response.set(http::field::content_encoding, "gzip");
      response.body() = Gzip(response.body());
    }
  }
  response.version(request.version());
  response.keep_alive(request.keep_alive());
  response.prepare_payload();
  if (is_head) response.body().clear();  // Content-Length stays
  return response;
}

}  // namespace

// The work of the thread. Everything except the constructor and the destructor
// runs on it.
class HttpListener::Loop {
 public:
  Loop(ListeningSockets sockets, Page page, const Limits& limits)
      : page_(std::move(page)), limits_(limits) {
    for (const int fd : sockets.Release()) Adopt(fd);
    for (tcp::acceptor& acceptor : acceptors_) Accept(acceptor);
    thread_ = std::thread([this] { io_.run(); });
    pthread_setname_np(thread_.native_handle(), "sheaf-http");
  }

  ~Loop() {
    io_.stop();
    thread_.join();
  }

 private:
  class Connection;
  using Connections = std::list<std::shared_ptr<Connection>>;

  void Adopt(int fd) {
    int family = AF_INET;
    socklen_t size = sizeof(family);
    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
    acceptors_.emplace_back(io_, family == AF_INET6 ? tcp::v6() : tcp::v4(),
                            fd);
  }

  void Accept(tcp::acceptor& acceptor) {
    acceptor.async_accept(
        [this, &acceptor](error_code error, tcp::socket socket) {
          if (!error) {
            Serve(std::move(socket));
          } else if (error != asio::error::connection_aborted) {
            return AwaitRoom(acceptor);
          }
          Accept(acceptor);
        });
  }

  // The process has no file descriptor left. New peers wait in the kernel's
  // queue.
  void AwaitRoom(tcp::acceptor& acceptor) {
    if (!connections_.empty()) CloseOldest();
    const auto timer = std::make_shared<asio::steady_timer>(io_, kNoRoomPause);
    timer->async_wait(
        [this, timer, &acceptor](error_code) { Accept(acceptor); });
  }

  void Serve(tcp::socket socket);
  void CloseOldest();

  const Page page_;
  const Limits limits_;
  asio::io_context io_{/*concurrency_hint=*/1};
  std::list<tcp::acceptor> acceptors_;
  Connections connections_;  // least recently used first
  std::thread thread_;
};

// One connection: reads a request, writes the response, and repeats. Held by
// the running operation, and by the listener's list until it is closed.
class HttpListener::Loop::Connection
    : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Loop& loop, tcp::socket socket)
      : loop_(loop), stream_(std::move(socket)) {}

  void Start(Connections::iterator place) {
    place_ = place;
    ReadHeader();
  }

  // The running operation ends with an error.
  void Close() {
    if (!place_.has_value()) return;
    loop_.connections_.erase(*std::exchange(place_, std::nullopt));
    stream_.close();
  }

 private:
  // Calls a member function once an operation has ended, unless the connection
  // was closed meanwhile.
  auto Then(void (Connection::*next)(error_code)) {
    return [self = shared_from_this(), next](error_code error, size_t) {
      if (self->place_.has_value()) (self.get()->*next)(error);
    };
  }

  void AwaitRequest() {
    if (buffer_.size() > 0) return ReadHeader();
    stream_.expires_after(
        absl::ToChronoNanoseconds(loop_.limits_.idle_timeout));
    stream_.async_read_some(
        buffer_.prepare(kMaxHeaderBytes),
        [self = shared_from_this()](error_code error, size_t num_bytes) {
          self->buffer_.commit(num_bytes);
          if (error) return self->Close();
          if (self->place_.has_value()) self->ReadHeader();
        });
  }

  void ReadHeader() {
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    // No body is read. (boost::none would mean a limit of 0.)
    parser_->body_limit(std::numeric_limits<uint64_t>::max());
    stream_.expires_after(
        absl::ToChronoNanoseconds(loop_.limits_.header_timeout));
    http::async_read_header(stream_, buffer_, *parser_,
                            Then(&Connection::OnHeader));
  }

  void OnHeader(error_code error) {
    if (!error) {
      loop_.connections_.splice(loop_.connections_.end(), loop_.connections_,
                                *place_);
      response_ = ResponseTo(parser_->get(), loop_.page_);
      // A body follows, which is not read.
      if (!parser_->is_done()) response_.keep_alive(false);
    } else if (error == http::error::header_limit ||
               error == http::error::buffer_overflow) {
      response_ = ErrorResponse(http::status::request_header_fields_too_large);
    } else if (error.category() ==
                   http::make_error_code(http::error::end_of_stream)
                       .category() &&
               error != http::error::end_of_stream &&
               error != http::error::partial_message) {
      response_ = ErrorResponse(http::status::bad_request);
    } else {
      return Close();  // it has left or is too slow
    }
    stream_.expires_after(
        absl::ToChronoNanoseconds(loop_.limits_.answer_timeout));
    http::async_write(stream_, response_, Then(&Connection::OnWritten));
  }

  void OnWritten(error_code error) {
    if (error) return Close();
    if (response_.keep_alive()) return AwaitRequest();
    stream_.socket().shutdown(tcp::socket::shutdown_send, error);
    if (error) return Close();
    stream_.expires_after(kLingerTimeout);
    ReadRest({});
  }

  // A socket that is closed while bytes wait to be read resets the connection,
  // and the peer may lose the response.
  void ReadRest(error_code error) {
    if (error) return Close();
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(kMaxHeaderBytes),
                            Then(&Connection::ReadRest));
  }

  Loop& loop_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{kBufferBytes};
  std::optional<http::request_parser<http::empty_body>> parser_;
  Response response_;
  std::optional<Connections::iterator> place_;  // none once closed
};

void HttpListener::Loop::Serve(tcp::socket socket) {
  if (static_cast<int32_t>(connections_.size()) >= limits_.max_connections) {
    CloseOldest();
  }
  const auto connection =
      std::make_shared<Connection>(*this, std::move(socket));
  connection->Start(connections_.insert(connections_.end(), connection));
}

void HttpListener::Loop::CloseOldest() {
  const std::shared_ptr<Connection> oldest = connections_.front();
  oldest->Close();
}

absl::StatusOr<std::unique_ptr<HttpListener>> HttpListener::Start(
    const HostPort& address, Page page, const Limits& limits) {
  absl::StatusOr<ListeningSockets> sockets =
      ListeningSockets::ListenOn(address);
  if (!sockets.ok()) return sockets.status();
  try {
    return std::unique_ptr<HttpListener>(
        new HttpListener(*std::move(sockets), std::move(page), limits));
  } catch (const std::exception& error) {  // Asio's: no descriptor, no thread
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot listen on ", address.ToString(), ": ", error.what()));
  }
}

HttpListener::HttpListener(ListeningSockets sockets, Page page,
                           const Limits& limits)
    : port_(sockets.port()),
      loop_(std::make_unique<Loop>(std::move(sockets), std::move(page),
                                   limits)) {}

HttpListener::~HttpListener() = default;

}  // namespace sheaf
