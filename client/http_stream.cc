// SPDX-License-Identifier: Apache-2.0

#include "client/http_stream.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sheaf {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

// As large as the answers that the client of gRPC takes.
constexpr uint64_t kMaxAnswerBytes = 64 << 20;
constexpr size_t kReadBytes = 16 << 10;
constexpr unsigned kStatusOk = 200;

}  // namespace

HttpStream::HttpStream(asio::io_context& io, const HttpTarget& target,
                       std::function<void(std::shared_ptr<HttpStream>)> on_idle)
    : target_(target),
      on_idle_(std::move(on_idle)),
      stream_(std::in_place_type<Socket>, io),
      timer_(io) {
  if (target.tls == nullptr) return;
  stream_.emplace<asio::ssl::stream<Socket>>(io, *target.tls);
}

void HttpStream::Start(Request request) {
  request_ = std::move(request);
  events_ = EventReader();
  num_seen_ = 0;
  status_ = absl::OkStatus();
  usage_.reset();
  ArmTimer();
  if (state_ == State::kOpen) return Send();
  Connect();
}

void HttpStream::Connect() {
  auto& socket = std::visit(
      [](auto& stream) -> auto& {
        return static_cast<Socket&>(stream.lowest_layer());
      },
      stream_);
  asio::async_connect(
      socket, target_.endpoints,
      [self = shared_from_this(), &socket](const error_code& error,
                                           const HttpTarget::Endpoint&) {
        if (error) return self->FailAt("connect", error);
        error_code ignored;  // a Unix socket has no such option
        socket.set_option(asio::ip::tcp::no_delay(true), ignored);
        self->ShakeHands();
      });
}

void HttpStream::ShakeHands() {
  if (!request_.has_value()) return;  // its time is over
  auto* tls = std::get_if<asio::ssl::stream<Socket>>(&stream_);
  if (tls == nullptr) {
    state_ = State::kOpen;
    BeginReading();
    return Send();
  }
  SSL_set_tlsext_host_name(tls->native_handle(), target_.tls_name.c_str());
  tls->set_verify_mode(asio::ssl::verify_peer);
  tls->set_verify_callback(asio::ssl::host_name_verification(target_.tls_name));
  tls->async_handshake(asio::ssl::stream_base::client,
                       [self = shared_from_this()](const error_code& error) {
                         if (error) return self->FailAt("TLS", error);
                         if (!self->request_.has_value()) return;
                         self->state_ = State::kOpen;
                         self->BeginReading();
                         self->Send();
                       });
}

void HttpStream::Send() {
  out_ = std::move(request_->bytes);
  is_sending_ = true;
  std::visit(
      [this](auto& stream) {
        asio::async_write(
            stream, asio::buffer(out_),
            [self = shared_from_this()](const error_code& error, size_t) {
              self->is_sending_ = false;
              if (error) self->FailAt("send", error);
            });
      },
      stream_);
}

// Reads from the opening of the connection on, also while it is idle, so that
// its end is noticed.
void HttpStream::BeginReading() {
  parser_.emplace();
  parser_->eager(true);
  parser_->body_limit(kMaxAnswerBytes);
  Read();
}

// Does not leave this to Beast, which reports a chunk only once the header of
// the next one has arrived.
void HttpStream::Read() {
  std::visit(
      [this](auto& stream) {
        stream.async_read_some(
            buffer_.prepare(kReadBytes),
            [self = shared_from_this()](const error_code& error, size_t n) {
              if (error) return self->FailAt("receive", error);
              if (!self->request_.has_value()) return self->Close();
              self->buffer_.commit(n);
              self->OnBytes();
            });
      },
      stream_);
}

void HttpStream::OnBytes() {
  error_code error;
  while (!error && buffer_.size() > 0 && !parser_->is_done()) {
    buffer_.consume(parser_->put(buffer_.data(), error));
  }
  if (error && error != http::error::need_more) return FailAt("receive", error);
  if (parser_->is_header_done() && request_->is_streamed &&
      parser_->get().result_int() == kStatusOk) {
    const std::string& body = parser_->get().body();
    events_.Append(absl::string_view(body).substr(num_seen_));
    num_seen_ = body.size();
    while (const auto event = events_.Next()) {
      if (event->name == "error") {
        status_.Update(HttpError(kStatusOk, event->data));
      } else {
        OnMessage(event->data);
      }
    }
  }
  if (!parser_->is_done()) return Read();
  EndAnswer();
}

void HttpStream::OnMessage(const std::string& json) {
  const absl::StatusOr<HttpOutput> output = ReadHttpOutput(json);
  if (!output.ok()) return status_.Update(output.status());
  if (output->has_output) request_->on_output();
  if (output->usage.has_value()) usage_ = output->usage;
}

void HttpStream::EndAnswer() {
  const auto& answer = parser_->get();
  if (answer.result_int() != kStatusOk) {
    status_ = HttpError(static_cast<int>(answer.result_int()), answer.body());
  } else if (!request_->is_streamed) {
    OnMessage(answer.body());
  }
  if (!usage_.has_value()) {
    status_.Update(absl::InternalError("the answer ended without its usage"));
  }
  const Client::OnDone on_done = std::move(request_->on_done);
  request_.reset();
  timer_.cancel();
  // A server may answer before it has read the whole request, and must not send
  // more than was asked for.
  if (parser_->keep_alive() && !is_sending_ && buffer_.size() == 0) {
    BeginReading();
    on_idle_(shared_from_this());
  } else {
    Close();
  }
  if (!status_.ok()) return on_done(status_);
  StreamEnd end;
  end.usage = *usage_;
  on_done(end);
}

void HttpStream::ArmTimer() {
  if (request_->timeout == absl::InfiniteDuration()) return;
  timer_.expires_after(absl::ToChronoNanoseconds(request_->timeout));
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    // A timer that rang just before it was cancelled still calls.
    if (error || self->timer_.expiry() > std::chrono::steady_clock::now()) {
      return;
    }
    self->Fail(absl::DeadlineExceededError("Deadline Exceeded"));
  });
}

void HttpStream::FailAt(const char* doing, const error_code& error) {
  Fail(absl::UnavailableError(absl::StrCat(doing, ": ", error.message())));
}

void HttpStream::Fail(const absl::Status& status) {
  Close();
  if (!request_.has_value()) return;
  const Client::OnDone on_done = std::move(request_->on_done);
  request_.reset();
  on_done(status);
}

void HttpStream::Close() {
  state_ = State::kClosed;
  timer_.cancel();
  std::visit(
      [](auto& stream) {
        error_code ignored;
        stream.lowest_layer().close(ignored);
      },
      stream_);
}

}  // namespace sheaf
